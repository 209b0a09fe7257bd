#include "block.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "mma.h"
#include "sanitizers.h"

namespace wrcor::emulator {

namespace {

using State = Thread::State;

const char kDynamic = 0;  // its address stands for the declaration of the dynamic block
char launch_end = 0;      // its address stands for the end of the launch

// Numbers of tags.
constexpr unsigned kStart = 0;
constexpr unsigned kBlockBarrier = 1;
constexpr unsigned kWarpBarriers = 3;

bool same(const char* a, const char* b) { return a == b || std::strcmp(a, b) == 0; }

bool same(const Site& a, const Site& b) {
  return a.line == b.line && same(a.operation, b.operation) && same(a.file, b.file);
}

bool together(const Wait& a, const Wait& b) { return a.kind == b.kind && a.mask == b.mask && same(a.site, b.site); }

std::string text(const uint3& index) {
  return "(" + std::to_string(index.x) + ", " + std::to_string(index.y) + ", " + std::to_string(index.z) + ")";
}

std::string text(const Thread& thread) {
  if (thread.state == State::returned) return "returned";
  const Site& site = thread.wait.site;
  return std::string("wait in ") + site.operation + " at " + site.file + ":" + std::to_string(site.line);
}

// Fibers that wait for a thread to run, of this block or of a later one. They are kept: ThreadSanitizer takes half a
// millisecond to make one. Null after an error, which leaves fibers in the middle of a kernel.
std::unique_ptr<std::vector<std::unique_ptr<Fiber>>> idle;

// What a thread has done so far happens before what the host does after the launch, should the thread never return,
// too. No other thread is ordered by it.
void leave_to_host() {
  if (__tsan_release != nullptr) __tsan_release(&launch_end);
}

// Which fiber runs thread `thread` of `threads` of block number `turn`. Were it always the same one, ThreadSanitizer
// would take what it did in different blocks for the work of one thread, and see no race between blocks. Blocks take
// turns with sets of fibers, and within a set fibers take turns with threads.
unsigned choose_fiber(unsigned turn, unsigned thread, unsigned threads) {
  if (__tsan_create_fiber == nullptr) return thread;
  constexpr unsigned kFibers = 512;
  const unsigned sets = std::max(2u, kFibers / threads);
  return turn % sets * threads + (thread + turn / sets) % threads;
}

}  // namespace

Block* Block::current = nullptr;

Block::Block(unsigned turn, std::size_t shared_limit, std::size_t dynamic_bytes, const std::function<void()>& body)
    : body_(body), shared_(shared_limit), threads_(blockDim.x * blockDim.y * blockDim.z) {
  if (idle == nullptr) idle = std::make_unique<std::vector<std::unique_ptr<Fiber>>>();
  const auto count = static_cast<unsigned>(threads_.size());
  for (unsigned at = 0; at < count; ++at) {
    Thread& thread = threads_[at];
    thread.index = {at % blockDim.x, at / blockDim.x % blockDim.y, at / (blockDim.x * blockDim.y)};
    const unsigned fiber = choose_fiber(turn, at, count);
    while (idle->size() <= fiber) idle->push_back(std::make_unique<Fiber>(run_threads));
    thread.fiber = (*idle)[fiber].get();
  }
  dynamic_ = shared_.array(&kDynamic, "(dynamic)", dynamic_bytes);
  current = this;
}

// What a fiber does: a thread of one block after the other.
void Block::run_threads() {
  for (;;) {
    if (__tsan_acquire != nullptr) __tsan_acquire(current->shared_.tag(kStart));
    current->body_();
    leave_to_host();
    Thread& self = *current->running_;
    self.state = State::returned;
    self.fiber->switch_to(current->scheduler_);
  }
}

void Block::run(Order& order) {
  if (__tsan_release != nullptr) __tsan_release(shared_.tag(kStart));
  std::size_t returned = 0;
  while (returned < threads_.size()) {
    bool progress = false;
    for (const unsigned index : order.next(static_cast<unsigned>(threads_.size()))) {
      Thread& thread = threads_[index];
      if (thread.state != State::ready) continue;
      progress = true;
      running_ = &thread;
      threadIdx = thread.index;
      scheduler_.switch_to(*thread.fiber);
      if (!error_.empty()) give_up("thread " + text(threadIdx) + ": " + error_);
      returned += thread.state == State::returned;
    }
    if (!progress) give_up("the kernel has diverged: " + describe_threads());
    release_block();
    for (std::size_t first = 0; first < threads_.size(); first += kWarpThreads) release_warp(first);
  }
  const std::string damage = shared_.damage();
  if (!damage.empty()) give_up("the kernel wrote " + damage);
}

void Block::finish_launch() {
  if (__tsan_acquire != nullptr) __tsan_acquire(&launch_end);
}

std::uint64_t Block::meet(const Wait& wait) {
  Thread& self = *running_;
  const bool warp = wait.kind != Collective::block_barrier;
  if (warp && (wait.mask >> lane() & 1) == 0) {
    fail(std::string(wait.site.operation) + " with a mask without the calling lane, at " + wait.site.file + ":" +
         std::to_string(wait.site.line));
  }
  self.wait = wait;
  self.state = State::waiting;
  // Shuffles and votes order no memory on the device.
  const bool orders = wait.kind == Collective::block_barrier || wait.kind == Collective::warp_barrier;
  void* const meeting = orders && __tsan_release != nullptr ? tag(wait) : nullptr;
  if (meeting != nullptr) __tsan_release(meeting);
  leave_to_host();
  self.fiber->switch_to(scheduler_);
  if (meeting != nullptr) __tsan_acquire(meeting);
  return self.received;
}

void Block::fail(std::string message) {
  error_ = std::move(message);  // nobody destroys what is left on the stack
  leave_to_host();
  for (;;) running_->fiber->switch_to(scheduler_);
}

void* Block::shared_array(const void* declaration, const char* name, std::size_t bytes) {
  void* const array = shared_.array(declaration, name, bytes);
  if (array == nullptr)
    fail("no shared memory is left for " + std::string(name) + " of " + std::to_string(bytes) + " bytes");
  return array;
}

// Two tags per barrier take turns: a thread that is at the next barrier already must not seem to have ordered what a
// thread did that has not left this one yet.
void* Block::tag(const Wait& wait) {
  if (wait.kind == Collective::block_barrier) return shared_.tag(kBlockBarrier + barriers_completed_ % 2);
  const std::size_t warp = static_cast<std::size_t>(running_ - threads_.data()) / kWarpThreads;
  WarpBarrier* const begin = warp_barriers_.data();
  WarpBarrier* const end = begin + warp_barrier_count_;
  WarpBarrier* const barrier =
      std::find_if(begin, end, [&](const WarpBarrier& seen) { return seen.warp == warp && seen.mask == wait.mask; });
  if (barrier == end) {
    if (warp_barrier_count_ == warp_barriers_.size()) fail("too many different masks of __syncwarp");
    *end = {warp, wait.mask, 0};
    ++warp_barrier_count_;
  }
  return shared_.tag(kWarpBarriers + 2 * static_cast<unsigned>(barrier - begin) + barrier->completed % 2);
}

void Block::release_block() {
  std::uint64_t votes = 0;
  for (const Thread& thread : threads_) {
    const bool here = thread.state == State::waiting && together(thread.wait, threads_.front().wait);
    if (!here || thread.wait.kind != Collective::block_barrier) return;
    votes += thread.wait.posted != 0;
  }
  for (Thread& thread : threads_) {
    thread.received = votes;
    thread.state = State::ready;
  }
  ++barriers_completed_;
}

// Ends the operations that are complete in the warp that starts at thread `first`.
void Block::release_warp(std::size_t first) {
  const auto lanes = static_cast<unsigned>(std::min<std::size_t>(kWarpThreads, threads_.size() - first));
  Thread* const warp = &threads_[first];
  unsigned waiting = 0;
  unsigned alive = 0;
  for (unsigned lane = 0; lane < lanes; ++lane) {
    const Thread& thread = warp[lane];
    if (thread.state != State::returned) alive |= 1u << lane;
    const bool here = thread.state == State::waiting && thread.wait.kind != Collective::block_barrier;
    if (here) waiting |= 1u << lane;
  }
  while (waiting != 0) {
    const Wait meeting = warp[__builtin_ctz(waiting)].wait;
    const unsigned members = meeting.mask & alive;
    bool complete = true;
    std::uint64_t votes = 0;
    for (unsigned lane = 0; lane < lanes; ++lane) {
      if ((members >> lane & 1) == 0) continue;
      const Thread& thread = warp[lane];
      complete = complete && (waiting >> lane & 1) != 0 && together(thread.wait, meeting);
      if (thread.wait.posted != 0) votes |= std::uint64_t{1} << lane;
    }
    if (complete) {
      if (meeting.kind == Collective::product) multiply_warp(first);
      for (unsigned lane = 0; lane < lanes; ++lane) {
        if ((members >> lane & 1) == 0) continue;
        Thread& thread = warp[lane];
        const unsigned source = thread.wait.source;
        if (meeting.kind == Collective::ballot) thread.received = votes;
        if (meeting.kind == Collective::shuffle) {
          thread.received =
              source < lanes && (members >> source & 1) != 0 ? warp[source].wait.posted : ~std::uint64_t{0};
        }
        thread.state = State::ready;
      }
      if (meeting.kind == Collective::warp_barrier) {
        for (std::size_t at = 0; at < warp_barrier_count_; ++at) {
          WarpBarrier& barrier = warp_barriers_[at];
          if (barrier.warp == first / kWarpThreads && barrier.mask == meeting.mask) ++barrier.completed;
        }
      }
    }
    waiting &= complete ? ~members : waiting - 1;
  }
}

// The product of the warp that starts at thread `first`, all of whose lanes that are left wait for it.
void Block::multiply_warp(std::size_t first) {
  Fragments* lanes[kWarpThreads];
  for (unsigned lane = 0; lane < kWarpThreads; ++lane) {
    const bool here = first + lane < threads_.size() && threads_[first + lane].state == State::waiting;
    if (!here) give_up("mma.sync needs all 32 lanes of a warp: " + describe_threads());
    lanes[lane] = reinterpret_cast<Fragments*>(threads_[first + lane].wait.posted);
  }
  multiply_fragments(lanes);
}

// "threads 0 to 15, 20 wait in __syncthreads at kernel.cuh:12; threads 16 to 19, 21 to 31 returned"
std::string Block::describe_threads() const {
  constexpr std::size_t kRanges = 4;  // of a group: the rest is as in a pattern
  struct Group {
    std::string what;
    std::string ranges;
    std::size_t count;
  };
  std::vector<Group> groups;
  for (std::size_t begin = 0, end = 0; begin < threads_.size(); begin = end) {
    const std::string what = text(threads_[begin]);
    for (end = begin; end < threads_.size() && text(threads_[end]) == what;) ++end;
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& seen) { return seen.what == what; });
    if (group == groups.end()) group = groups.insert(group, {what, "", 0});
    if (group->count < kRanges) {
      if (group->count > 0) group->ranges += ", ";
      group->ranges += std::to_string(begin);
      if (end - begin > 1) group->ranges += " to " + std::to_string(end - 1);
    } else if (group->count == kRanges) {
      group->ranges += " and so on";
    }
    ++group->count;
  }
  std::string all;
  for (const Group& group : groups) all += (all.empty() ? "threads " : "; threads ") + group.ranges + " " + group.what;
  return all;
}

void Block::give_up(const std::string& message) const {
  finish_launch();
  idle = nullptr;
  throw Error("block " + text(blockIdx) + ": " + message);
}

}  // namespace wrcor::emulator
