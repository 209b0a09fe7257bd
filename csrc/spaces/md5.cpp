#include "md5.h"

#include <cstring>

namespace wrcor::spaces {
namespace {

constexpr size_t kBlock = 64;  // bytes per compression
constexpr size_t kLength = 8;  // bytes of the message length, which ends the last block

// floor(2^32 abs(sin(i + 1))), i = 0 .. 63.
constexpr uint32_t kSines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

constexpr int kShifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

inline uint32_t rotate_left(uint32_t x, int bits) { return x << bits | x >> (32 - bits); }

inline uint32_t little_endian(const uint8_t* bytes) {
  return static_cast<uint32_t>(bytes[0]) | static_cast<uint32_t>(bytes[1]) << 8 |
         static_cast<uint32_t>(bytes[2]) << 16 | static_cast<uint32_t>(bytes[3]) << 24;
}

// Round 0 .. 3 of the compression: 16 steps, unrolled by the compiler since every index is then a constant.
template <int kRound>
inline void compress_round(uint32_t (&s)[4], const uint32_t (&words)[16]) {
  uint32_t a = s[0], b = s[1], c = s[2], d = s[3];
#pragma GCC unroll 16
  for (int step = 0; step < 16; ++step) {
    uint32_t mixed = 0;
    int word = step;
    if constexpr (kRound == 0) {
      mixed = d ^ (b & (c ^ d));
    } else if constexpr (kRound == 1) {
      mixed = c ^ (d & (b ^ c));
      word = (5 * step + 1) % 16;
    } else if constexpr (kRound == 2) {
      mixed = b ^ c ^ d;
      word = (3 * step + 5) % 16;
    } else {
      mixed = c ^ (b | ~d);
      word = 7 * step % 16;
    }
    const uint32_t sum = a + mixed + kSines[16 * kRound + step] + words[word];
    a = d;
    d = c;
    c = b;
    b += rotate_left(sum, kShifts[kRound][step % 4]);
  }
  s[0] = a, s[1] = b, s[2] = c, s[3] = d;
}

inline void compress(uint32_t (&state)[4], const uint8_t* block) {
  uint32_t words[16];
  for (int i = 0; i < 16; ++i) words[i] = little_endian(block + 4 * i);
  uint32_t s[4] = {state[0], state[1], state[2], state[3]};
  compress_round<0>(s, words);
  compress_round<1>(s, words);
  compress_round<2>(s, words);
  compress_round<3>(s, words);
  for (int i = 0; i < 4; ++i) state[i] += s[i];
}

}  // namespace

Md5 md5(const void* data, size_t size) {
  uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  const auto* bytes = static_cast<const uint8_t*>(data);
  size_t left = size;
  for (; left >= kBlock; left -= kBlock, bytes += kBlock) compress(state, bytes);

  // A one bit, zeros, and the length in bits: they fit behind the rest, or take a block more.
  uint8_t tail[2 * kBlock] = {};
  if (left > 0) std::memcpy(tail, bytes, left);
  tail[left] = 0x80;
  const size_t end = left + 1 + kLength <= kBlock ? kBlock : 2 * kBlock;
  const uint64_t bits = static_cast<uint64_t>(size) * 8;
  for (size_t i = 0; i < kLength; ++i) tail[end - kLength + i] = static_cast<uint8_t>(bits >> (8 * i));
  for (size_t start = 0; start < end; start += kBlock) compress(state, tail + start);

  Md5 digest;
  for (size_t i = 0; i < digest.size(); ++i) digest[i] = static_cast<uint8_t>(state[i / 4] >> (8 * (i % 4)));
  return digest;
}

Md5Text md5_text(const void* data, size_t size) {
  constexpr char digits[] = "0123456789abcdef";
  const Md5 digest = md5(data, size);
  Md5Text text;
  for (size_t i = 0; i < digest.size(); ++i) {
    text[2 * i] = digits[digest[i] >> 4];
    text[2 * i + 1] = digits[digest[i] & 15];
  }
  return text;
}

}  // namespace wrcor::spaces
