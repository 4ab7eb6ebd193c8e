// A stand-in for one library of LibTorch: built as libc10.so and as libtorch_cpu.so, each with a function that the fake backend
// calls, so that the linker keeps the dependency.
extern "C" __attribute__((visibility("default"))) int FAKE_FUNCTION();
extern "C" int FAKE_FUNCTION() {
    return 1;
}
