// One block while it runs: its threads, what each waits for, and who can go on.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "arena.h"
#include "fiber.h"
#include "order.h"
#include "scheduler.h"

namespace wrcor::emulator {

constexpr unsigned kWarpThreads = 32;

struct Wait {
  Collective kind;
  Site site;
  unsigned mask;
  std::uint64_t posted;
  unsigned source;
};

struct Thread {
  enum class State { ready, waiting, returned };
  Fiber fiber;
  uint3 index = {};
  State state = State::ready;
  Wait wait = {};
  std::uint64_t received = 0;
};

class Block {
 public:
  // Fibers are made starting at thread `rotation`: ThreadSanitizer takes a fiber that gets the number of a dead one for
  // the same thread, and would miss a race between the two.
  Block(std::size_t shared_limit, std::size_t dynamic_bytes, unsigned rotation, const std::function<void()>& body);

  // Runs all threads until they have returned. Throws Error. Can be called again.
  void run(Order& order);

  // Orders what all threads of the launch did before what the host does next.
  static void finish_launch();

  // Called on the fibers of threads.
  std::uint64_t meet(const Wait& wait);
  [[noreturn]] void fail(const std::string& message);
  void* shared_array(const void* declaration, const char* name, std::size_t bytes);
  void* dynamic_shared() { return dynamic_; }
  unsigned lane() const;

  // The block that runs, null between launches.
  static Block* current;

 private:
  static void run_thread();
  bool release_block();
  bool release_warp(std::size_t first);
  void* tag(const Wait& wait);
  std::string describe_threads() const;
  [[noreturn]] void give_up(const std::string& message) const;

  // Warp barriers are told apart by their masks: `completed` of one of them is the same for all threads that take part.
  struct WarpBarrier {
    std::size_t warp;
    unsigned mask;
    unsigned completed;
  };

  std::size_t dynamic_bytes_;
  const std::function<void()>& body_;
  Arena arena_;
  std::vector<Thread> threads_;
  Fiber scheduler_;
  Thread* running_ = nullptr;
  void* dynamic_ = nullptr;
  std::string error_;
  unsigned barriers_completed_ = 0;
  std::array<WarpBarrier, 256> warp_barriers_;
  std::size_t warp_barrier_count_ = 0;
};

}  // namespace wrcor::emulator
