// Weights of eight bits: what is written is read, and every way to multiply them gives the same sums as plain loops over whole
// numbers, the largest ones included.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "libtorch/kernels/int8.hpp"
#include "libtorch/kernels/tiles.hpp"

using namespace rag::core::libtorch::kernels;

namespace {

struct Matrix {
    std::int64_t outputs;
    std::int64_t inputs;
    std::vector<std::int8_t> rows;
    std::vector<std::byte> packed;
    std::vector<float> scale;        // padded to panels
    std::vector<std::int32_t> sums;  // likewise
    std::vector<float> bias;

    /// `extreme`: only the largest bytes, whose sums come near the limits of 32 bits.
    Matrix(std::int64_t out, std::int64_t in, bool extreme)
        : outputs(out),
          inputs(in),
          rows(static_cast<std::size_t>(out * in)),
          packed(static_cast<std::size_t>(int8_bytes(out, in))),
          scale(static_cast<std::size_t>(int8_panels(out) * kInt8PanelRows)),
          sums(scale.size()),
          bias(static_cast<std::size_t>(out)) {
        std::mt19937 generator(static_cast<unsigned>(out * 7 + in));
        for (std::int64_t n = 0; n < outputs; ++n) {
            const auto at = static_cast<std::size_t>(n);
            for (std::int64_t k = 0; k < inputs; ++k) {
                const auto byte = static_cast<std::int8_t>(extreme ? 127 : static_cast<int>(generator() % 255) - 127);
                rows[static_cast<std::size_t>(n * inputs + k)] = byte;
                sums[at] += byte;
            }
            scale[at] = 0.001F * static_cast<float>(1 + generator() % 100);
            bias[at] = static_cast<float>(generator() % 100) - 50.0F;
            write_int8(rows.data() + n * inputs, inputs, n % kInt8PanelRows, packed.data() + n / kInt8PanelRows * panel_bytes());
        }
    }
    std::int64_t panel_bytes() const { return int8_groups(inputs) * kInt8TileBytes; }
    Int8Outputs panel(std::int64_t p) const {
        const std::int64_t first = p * kInt8PanelRows;
        return {scale.data() + first, sums.data() + first, bias.data() + first, std::min(kInt8PanelRows, outputs - first)};
    }
};

struct Rows {
    std::int64_t rows;
    std::vector<float> x;
    std::vector<std::int16_t> numbers;
    std::vector<float> scales;
    std::vector<std::uint8_t> planes;  // of int8_planes_available()

    Rows(std::int64_t count, std::int64_t inputs, bool extreme) : rows(count), x(static_cast<std::size_t>(count * inputs)) {
        std::mt19937 generator(static_cast<unsigned>(count + inputs));
        std::normal_distribution<float> normal;
        for (float& value : x) value = extreme ? 3.0F : normal(generator);
        const std::int64_t width = int8_groups(inputs) * kInt8Group;
        numbers.resize(static_cast<std::size_t>(count * width), -1);
        scales.resize(static_cast<std::size_t>(count));
        planes.resize(static_cast<std::size_t>(int8_planes_bytes(count, int8_groups(inputs))) + 64, 77);
        for (std::int64_t r = 0; r < count; ++r) {
            quantize_int8_inputs(x.data() + r * inputs, inputs, numbers.data() + r * width, &scales[static_cast<std::size_t>(r)]);
            float scale = -1.0F;
            if (!int8_planes_available()) continue;
            load_int8_planes_row(x.data() + r * inputs, inputs, r, tiles(), &scale);
            CHECK(scale == scales[static_cast<std::size_t>(r)]);
        }
    }
    std::uint8_t* tiles() { return planes.data() + (64 - reinterpret_cast<std::uintptr_t>(planes.data()) % 64) % 64; }
    /// Input k of a row, as the two planes have it.
    std::int64_t number_in_planes(std::int64_t r, std::int64_t k, std::int64_t groups) {
        const std::uint8_t* tile = tiles() + (r / 16 * groups + k / 64) * 2 * kInt8TileBytes + r % 16 * 64 + k % 64;
        return (std::int64_t{tile[0]} - 128) * 256 + tile[kInt8TileBytes];
    }
    /// Input k of a row, as it was rounded.
    std::int64_t number(std::int64_t r, std::int64_t k, std::int64_t groups) const {
        const std::int64_t place = k % 4 == 1 ? k + 1 : k % 4 == 2 ? k - 1 : k;
        return numbers[static_cast<std::size_t>(r * groups * kInt8Group + place)];
    }
};

std::vector<float> plain_product(const Matrix& w, const Rows& x) {
    std::vector<float> out;
    for (std::int64_t r = 0; r < x.rows; ++r) {
        for (std::int64_t n = 0; n < w.outputs; ++n) {
            std::int64_t sum = 0;
            for (std::int64_t k = 0; k < w.inputs; ++k) {
                sum += w.rows[static_cast<std::size_t>(n * w.inputs + k)] * x.number(r, k, int8_groups(w.inputs));
            }
            const auto at = static_cast<std::size_t>(n);
            out.push_back(static_cast<float>(static_cast<double>(x.scales[static_cast<std::size_t>(r)]) * w.scale[at] *
                                                 static_cast<double>(sum) +
                                             w.bias[at]));
        }
    }
    return out;
}

void check_near(const std::vector<float>& found, const std::vector<float>& wanted) {
    REQUIRE(found.size() == wanted.size());
    float largest = 1.0F;
    for (const float value : wanted) largest = std::max(largest, std::fabs(value));
    float worst = 0.0F;
    for (std::size_t i = 0; i < wanted.size(); ++i) worst = std::max(worst, std::fabs(found[i] - wanted[i]));
    CHECK(worst <= 2e-6F * largest);
}

struct Shape {
    std::int64_t rows;
    std::int64_t outputs;
    std::int64_t inputs;
};
const Shape kShapes[] = {{1, 16, 64},  {2, 5, 3},    {3, 33, 65},    {4, 48, 576},
                         {5, 17, 700}, {16, 32, 64}, {37, 50, 1536}, {64, 16, 130}};

}  // namespace

TEST_CASE("int8 rows are read as they were written") {
    const Matrix w(33, 70, false);
    for (std::int64_t n = 0; n < w.outputs; ++n) {
        std::vector<std::int8_t> row(70);
        read_int8(w.packed.data() + n / kInt8PanelRows * w.panel_bytes(), 70, n % kInt8PanelRows, row.data());
        CHECK(std::equal(row.begin(), row.end(), w.rows.begin() + n * 70));
    }
}

TEST_CASE("inputs of sixteen bits are within half a step, and zeros stay zeros") {
    const Rows x(3, 150, false);
    for (std::int64_t r = 0; r < 3; ++r) {
        const float scale = x.scales[static_cast<std::size_t>(r)];
        for (std::int64_t k = 0; k < 150; ++k) {
            const float value = scale * static_cast<float>(x.number(r, k, 3));
            CHECK(std::fabs(value - x.x[static_cast<std::size_t>(r * 150 + k)]) <= 0.51F * scale);
        }
        for (std::int64_t k = 150; k < 192; ++k) CHECK(x.number(r, k, 3) == 0);
    }
    const std::vector<float> none(20, 0.0F);
    std::vector<std::int16_t> numbers(64, 5);
    float scale = 1.0F;
    quantize_int8_inputs(none.data(), 20, numbers.data(), &scale);
    CHECK(scale == 0.0F);
    CHECK(numbers == std::vector<std::int16_t>(64, 0));
}

TEST_CASE("planes hold the rounded inputs") {
    if (!int8_planes_available()) return;
    for (const Shape& shape : kShapes) {
        Rows x(shape.rows, shape.inputs, false);
        const std::int64_t groups = int8_groups(shape.inputs);
        std::int64_t wrong = 0;
        for (std::int64_t r = 0; r < shape.rows; ++r) {
            for (std::int64_t k = 0; k < groups * kInt8Group; ++k)
                wrong += x.number_in_planes(r, k, groups) != x.number(r, k, groups);
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("int8 products equal sums of whole numbers, by a few rows and by planes") {
    for (const bool extreme : {false, true}) {
        for (const Shape& shape : kShapes) {
            INFO(shape.rows << " rows, " << shape.outputs << " x " << shape.inputs << (extreme ? ", extreme" : ""));
            const Matrix w(shape.outputs, shape.inputs, extreme);
            Rows x(shape.rows, shape.inputs, extreme);
            const std::int64_t groups = int8_groups(shape.inputs);
            const std::vector<float> wanted = plain_product(w, x);
            std::vector<float> found(wanted.size(), -1.0F);
            for (std::int64_t p = 0; p < int8_panels(shape.outputs); ++p) {
                for (std::int64_t r = 0; r < shape.rows; r += kInt8Rows) {
                    const Int8Inputs some{x.numbers.data() + r * groups * kInt8Group, x.scales.data() + r,
                                          std::min(kInt8Rows, shape.rows - r), groups};
                    multiply_int8(w.packed.data() + p * w.panel_bytes(), some, w.panel(p),
                                  found.data() + r * shape.outputs + p * kInt8PanelRows, shape.outputs);
                }
            }
            check_near(found, wanted);
            if (!int8_planes_available()) continue;
            const Int8Planes planes{x.tiles(), x.scales.data(), shape.rows, groups};
            for (const auto multiply : {multiply_int8_planes, multiply_int8_planes_by_vectors}) {
                std::fill(found.begin(), found.end(), -1.0F);
                for (std::int64_t p = 0; p < int8_panels(shape.outputs); p += 2) {
                    const bool both = p + 1 < int8_panels(shape.outputs);
                    const Int8Outputs second = both ? w.panel(p + 1) : Int8Outputs{};
                    multiply(w.packed.data() + p * w.panel_bytes(), planes, w.panel(p), both ? &second : nullptr,
                             found.data() + p * kInt8PanelRows, shape.outputs);
                }
                check_near(found, wanted);
            }
            const Int8Planes first{x.tiles(), x.scales.data(), std::min(kInt8Rows, shape.rows), groups};
            found.assign(static_cast<std::size_t>(first.rows * shape.outputs), -1.0F);
            for (std::int64_t p = 0; p < int8_panels(shape.outputs); ++p)
                multiply_int8_planes_few(w.packed.data() + p * w.panel_bytes(), first, w.panel(p),
                                         found.data() + p * kInt8PanelRows, shape.outputs);
            check_near(found, {wanted.begin(), wanted.begin() + static_cast<std::ptrdiff_t>(found.size())});
        }
    }
}

TEST_CASE("sums of the most inputs that are allowed fit") {
    const Matrix w(2, kInt8MaxInputs, true);
    Rows x(2, kInt8MaxInputs, true);
    const std::vector<float> wanted = plain_product(w, x);
    std::vector<float> found(4);
    const Int8Inputs some{x.numbers.data(), x.scales.data(), 2, int8_groups(kInt8MaxInputs)};
    multiply_int8(w.packed.data(), some, w.panel(0), found.data(), 2);
    check_near(found, wanted);
    if (int8_planes_available()) {
        const Int8Planes planes{x.tiles(), x.scales.data(), 2, int8_groups(kInt8MaxInputs)};
        multiply_int8_planes(w.packed.data(), planes, w.panel(0), nullptr, found.data(), 2);
        check_near(found, wanted);
        multiply_int8_planes_few(w.packed.data(), planes, w.panel(0), found.data(), 2);
        check_near(found, wanted);
    }
}
