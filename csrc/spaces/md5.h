// The MD5 digest (RFC 1321). Here it names cells, as NAS-Bench-101 does; it protects nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace wrcor::spaces {

using Md5Text = std::array<char, 32>;

// The digest in lower-case hexadecimal digits, without a terminating zero.
Md5Text md5_text(const void* data, size_t size);

// A message of at most kCapacity bytes, with room for the padding.
struct Md5Message {
  static constexpr size_t kCapacity = 256;
  alignas(8) uint8_t bytes[kCapacity + 64];
  size_t size = 0;

  void append(const void* data, size_t count) {
    std::memcpy(bytes + size, data, count);
    size += count;
  }
};

// As md5_text for up to kMd5Lanes messages side by side, which takes little longer than one. Pads the messages.
constexpr int kMd5Lanes = 8;
void md5_texts(Md5Message* messages, int count, Md5Text* texts);

}  // namespace wrcor::spaces
