#include "order.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <utility>

#include "scheduler.h"

namespace wrcor::emulator {

Order::Order(const std::string& text) {
  const std::string random = "random:";
  if (text == "forward") {
    kind_ = Kind::forward;
  } else if (text == "reverse") {
    kind_ = Kind::reverse;
  } else if (text == "rotated") {
    kind_ = Kind::rotated;
  } else if (text.compare(0, random.size(), random) == 0 && text.size() > random.size() &&
             text.find_first_not_of("0123456789", random.size()) == std::string::npos) {
    kind_ = Kind::random;
    state_ = std::strtoull(text.c_str() + random.size(), nullptr, 10);
  } else {
    throw Error("the order of threads is forward, reverse, rotated or random:SEED, not " + text);
  }
}

const std::vector<unsigned>& Order::next(unsigned count) {
  if (permutation_.size() == count && kind_ != Kind::random) return permutation_;
  permutation_.resize(count);
  std::iota(permutation_.begin(), permutation_.end(), 0u);
  if (kind_ == Kind::reverse) std::reverse(permutation_.begin(), permutation_.end());
  if (kind_ == Kind::rotated) std::rotate(permutation_.begin(), permutation_.begin() + count / 2, permutation_.end());
  if (kind_ == Kind::random) {
    for (unsigned left = count; left > 1; --left) {
      // Knuth's MMIX generator: the same sequence with every standard library.
      state_ = state_ * 6364136223846793005u + 1442695040888963407u;
      std::swap(permutation_[left - 1], permutation_[(state_ >> 33) % left]);
    }
  }
  return permutation_;
}

}  // namespace wrcor::emulator
