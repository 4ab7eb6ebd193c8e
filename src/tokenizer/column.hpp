// One column of an encoding: the part of std::vector that encodings use, but its memory may lie in a block that the columns of an
// encoding share (Encoding::reserve). An encoding is one allocation then, not seven, which is what short texts cost most; and who
// frees it on another thread pays once. A column that outgrows its part goes on in memory of its own. Copies have memory of their
// own; there is no move, since the block stays where it is: swap() is for encodings, which swap their blocks too. A value.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <type_traits>

namespace rag::core {

template <typename T>
class Column {
    static_assert(std::is_trivially_destructible_v<T> && std::is_nothrow_copy_constructible_v<T>);

  public:
    using value_type = T;

    Column() = default;
    Column(const Column& other) { append(other.begin(), other.end()); }
    Column& operator=(const Column& other) {
        if (this != &other) assign(other.begin(), other.end());
        return *this;
    }
    ~Column() = default;

    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    T* data() noexcept { return data_; }
    const T* data() const noexcept { return data_; }
    T* begin() noexcept { return data_; }
    T* end() noexcept { return data_ + size_; }
    const T* begin() const noexcept { return data_; }
    const T* end() const noexcept { return data_ + size_; }
    T& operator[](std::size_t index) noexcept { return data_[index]; }
    const T& operator[](std::size_t index) const noexcept { return data_[index]; }
    const T& front() const noexcept { return data_[0]; }
    const T& back() const noexcept { return data_[size_ - 1]; }

    void push_back(T value) { resize(size_ + 1, value); }
    /// New ones are copies of `value`.
    void resize(std::size_t count, T value) {
        if (count > size_) {
            make_room(count);
            std::uninitialized_fill(end(), data_ + count, value);
        }
        size_ = count;
    }
    /// The range is not one of this column's.
    template <typename Iterator>
    void append(Iterator first, Iterator last) {
        const auto count = static_cast<std::size_t>(last - first);
        make_room(size_ + count);
        std::uninitialized_copy(first, last, end());
        size_ += count;
    }
    template <typename Iterator>
    void assign(Iterator first, Iterator last) {
        size_ = 0;
        append(first, last);
    }
    /// Takes the first `count`, or all there are, away.
    void drop_front(std::size_t count) {
        std::copy(begin() + std::min(count, size_), end(), begin());
        size_ -= std::min(count, size_);
    }

    /// Goes on in `memory`, which outlives its use and has room for `count`, not fewer than there are.
    void settle(std::byte* memory, std::size_t count) noexcept {
        T* const to = reinterpret_cast<T*>(memory);
        std::uninitialized_copy(begin(), end(), to);
        data_ = to;
        capacity_ = count;
        own_.reset();
    }
    void swap(Column& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
        own_.swap(other.own_);
    }

    template <typename Range>
    friend bool operator==(const Column& column, const Range& range) {
        return std::equal(column.begin(), column.end(), range.begin(), range.end());
    }

  private:
    void make_room(std::size_t count) {
        if (count <= capacity_) return;
        count = std::max(count, 2 * capacity_);
        auto memory = std::make_unique_for_overwrite<std::byte[]>(count * sizeof(T));
        settle(memory.get(), count);
        own_ = std::move(memory);
    }

    T* data_ = nullptr;
    std::size_t size_ = 0, capacity_ = 0;
    std::unique_ptr<std::byte[]> own_;
};

}  // namespace rag::core
