// SHA-256 against the examples of FIPS 180-4 and its appendices, in one piece and in many.
#include <catch2/catch.hpp>
#include <string>

#include "core/sha256.hpp"

using rag::core::Sha256;

namespace {

std::string digest(const std::string& text, std::size_t piece) {
    Sha256 hash;
    for (std::size_t i = 0; i < text.size(); i += piece) {
        const std::string part = text.substr(i, piece);
        hash.add(std::as_bytes(std::span(part)));
    }
    return hash.finish();
}

}  // namespace

TEST_CASE("SHA-256 of the standard's examples") {
    CHECK(Sha256().finish() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(digest("abc", 3) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const std::string two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    CHECK(digest(two_blocks, 56) == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(digest(std::string(1'000'000, 'a'), 4096) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("SHA-256 does not depend on the pieces") {
    std::string text;
    for (int i = 0; i < 300; ++i) text += static_cast<char>(i * 7);
    for (std::size_t size = 0; size <= text.size(); size += 13) {
        const std::string part = text.substr(0, size);
        const std::string whole = digest(part, text.size() + 1);
        for (const std::size_t piece : {1U, 55U, 56U, 63U, 64U, 65U}) CHECK(digest(part, piece) == whole);
    }
}
