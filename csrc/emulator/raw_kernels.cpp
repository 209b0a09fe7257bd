// What the tests of the CuPy backend stand on: kernels launched by name with arguments in raw memory, as CUDA's driver
// takes them; and the C++ side of whatever that backend repeats in Python, for comparison.
#include <algorithm>
#include <cstddef>
#include <functional>
#include <iterator>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../cuda/launch_correlation.cuh"
#include "../cuda/launch_hamming.cuh"
#include "../cuda/launch_slogdet.cuh"

namespace wrcor {
namespace {

// Arguments of a launch: where each lies, and its size.
struct RawArguments {
  const void* const* values;
  const std::size_t* sizes;
  int count;
};

using RawLaunch = std::function<void(unsigned grid, unsigned block, std::size_t shared_bytes, const RawArguments&)>;

template <typename... Parameters, std::size_t... kIndices>
RawLaunch raw_launch(void (*kernel)(Parameters...), std::index_sequence<kIndices...>) {
  return [kernel](unsigned grid, unsigned block, std::size_t shared_bytes, const RawArguments& arguments) {
    constexpr int kCount = sizeof...(Parameters);
    constexpr std::size_t kSizes[] = {sizeof(Parameters)...};
    if (arguments.count != kCount) {
      throw std::invalid_argument("the kernel has " + std::to_string(kCount) + " parameters, not " +
                                  std::to_string(arguments.count));
    }
    for (int p = 0; p < kCount; ++p) {
      if (arguments.sizes[p] != kSizes[p]) {
        throw std::invalid_argument("parameter " + std::to_string(p) + " has " + std::to_string(kSizes[p]) +
                                    " bytes, not " + std::to_string(arguments.sizes[p]));
      }
    }
    launch(kernel, dim3(grid), dim3(block), shared_bytes, nullptr,
           *static_cast<const Parameters*>(arguments.values[kIndices])...);
  };
}

template <typename... Parameters>
RawLaunch raw_launch(void (*kernel)(Parameters...)) {
  return raw_launch(kernel, std::index_sequence_for<Parameters...>());
}

// The expression that NVRTC is given, and the kernel that it names.
#define WRCOR_RAW(...) {#__VA_ARGS__, raw_launch(__VA_ARGS__)}
#define WRCOR_RAW_ELEMENT(T)                                                                              \
  WRCOR_RAW(wrcor::correlation_slices<T, 16, false>), WRCOR_RAW(wrcor::correlation_slices<T, 32, false>), \
      WRCOR_RAW(wrcor::sign_pack<T>)
#define WRCOR_RAW_WIDE(T)                                                                                  \
  WRCOR_RAW(wrcor::correlation_slices<T, 64, false>), WRCOR_RAW(wrcor::correlation_slices<T, 128, false>), \
      WRCOR_RAW(wrcor::correlation_slices<T, 128, true>)

const std::map<std::string, RawLaunch>& raw_kernels() {
  static const std::map<std::string, RawLaunch> kernels = {
      WRCOR_RAW_ELEMENT(float),
      WRCOR_RAW_ELEMENT(double),
      WRCOR_RAW_ELEMENT(__half),
      WRCOR_RAW_ELEMENT(__nv_bfloat16),
      WRCOR_RAW_WIDE(float),
      WRCOR_RAW_WIDE(__half),
      WRCOR_RAW_WIDE(__nv_bfloat16),
      WRCOR_RAW(wrcor::correlation_slices<double, 32, true>),
      WRCOR_RAW(wrcor::correlation_merge<float>),
      WRCOR_RAW(wrcor::correlation_merge<double>),
      WRCOR_RAW(wrcor::sign_count<4>),
      WRCOR_RAW(wrcor::sign_count<8>),
      WRCOR_RAW(wrcor::slogdet_shared<wrcor::LuTraits>),
      WRCOR_RAW(wrcor::slogdet_blocked<wrcor::LuTraits>),
  };
  return kernels;
}

using Fields = std::vector<std::pair<const char*, std::size_t>>;

// "name size field offset field offset ..." on a line.
std::string layout(const char* name, std::size_t size, const Fields& fields) {
  std::ostringstream text;
  text << name << ' ' << size;
  for (const auto& [field, offset] : fields) text << ' ' << field << ' ' << offset;
  text << '\n';
  return text.str();
}

#define WRCOR_AT(type, field) {#field, offsetof(type, field)}

// Every structure that a kernel takes.
std::string layouts() {
  using Table = ResponseTable;
  using Partials = CorrelationPartials;
  using Plan = CorrelationPlan;
  using View = MergeView<float>;
  using Result = CorrelationResult;
  return layout("Response", sizeof(Response),
                {WRCOR_AT(Response, data), WRCOR_AT(Response, stride), WRCOR_AT(Response, features),
                 WRCOR_AT(Response, first_chunk), WRCOR_AT(Response, chunks), WRCOR_AT(Response, slices_per_chunk),
                 WRCOR_AT(Response, aligned)}) +
         layout("ResponseTable", sizeof(Table),
                {WRCOR_AT(Table, responses), WRCOR_AT(Table, count), WRCOR_AT(Table, rows)}) +
         layout("ResponseWeights", sizeof(ResponseWeights), {WRCOR_AT(ResponseWeights, of)}) +
         layout("CorrelationPartials", sizeof(Partials),
                {WRCOR_AT(Partials, gram), WRCOR_AT(Partials, mean), WRCOR_AT(Partials, exponent),
                 WRCOR_AT(Partials, flags), WRCOR_AT(Partials, status)}) +
         layout("CorrelationPlan", sizeof(Plan),
                {WRCOR_AT(Plan, panel_rows), WRCOR_AT(Plan, pair), WRCOR_AT(Plan, panels), WRCOR_AT(Plan, pairs),
                 WRCOR_AT(Plan, features), WRCOR_AT(Plan, gram_elements), WRCOR_AT(Plan, slices_per_chunk),
                 WRCOR_AT(Plan, chunks)}) +
         layout("MergeView", sizeof(View), {WRCOR_AT(View, partials), WRCOR_AT(View, plan)}) +
         layout("CorrelationResult", sizeof(Result),
                {WRCOR_AT(Result, out), WRCOR_AT(Result, k), WRCOR_AT(Result, counts), WRCOR_AT(Result, used),
                 WRCOR_AT(Result, sums)});
}

}  // namespace
}  // namespace wrcor

extern "C" {

// Null, or one sentence that lives until the thread's next call.
const char* wrcor_raw_launch(const char* kernel, unsigned grid, unsigned block, std::size_t shared_bytes,
                             const void* const* values, const std::size_t* sizes, int count) {
  static thread_local std::string message;
  try {
    wrcor::raw_kernels().at(kernel)(grid, block, shared_bytes, {values, sizes, count});
    return nullptr;
  } catch (const std::out_of_range&) {
    message = "there is no kernel";
  } catch (const std::exception& error) {
    message = error.what();
  }
  message = std::string(kernel) + ": " + message;
  return message.c_str();
}

const char* wrcor_raw_layouts() {
  static const std::string text = wrcor::layouts();
  return text.c_str();
}

// plan [8], workspace [6]: the fields in order, of the workspace for `chunks` chunks.
void wrcor_raw_correlation_plan(int is_double, wrcor::i64 rows, wrcor::i64 features, wrcor::i64 chunks,
                                wrcor::i64* plan, wrcor::i64* workspace) {
  const wrcor::CorrelationPlan how = wrcor::correlation_plan(is_double != 0, rows, features);
  const wrcor::i64 fields[] = {how.panel_rows, how.pair ? 1 : 0,  how.panels,           how.pairs,
                               how.features,   how.gram_elements, how.slices_per_chunk, how.chunks};
  std::copy(std::begin(fields), std::end(fields), plan);
  const wrcor::CorrelationWorkspace at = wrcor::correlation_workspace(how, is_double != 0, chunks);
  const wrcor::i64 places[] = {at.gram, at.mean, at.exponent, at.flags, at.status, at.bytes};
  std::copy(std::begin(places), std::end(places), workspace);
}

// Writes the length of each run of a group with `features` [count] and returns the bytes of its workspace.
wrcor::i64 wrcor_raw_correlation_runs(int element, wrcor::i64 rows, const wrcor::i64* features, wrcor::i64 count,
                                      wrcor::i64* lengths) {
  const auto type = static_cast<wrcor::Element>(element);
  std::vector<wrcor::ResponseInput> responses(static_cast<std::size_t>(count));
  for (wrcor::i64 r = 0; r < count; ++r) responses[static_cast<std::size_t>(r)].features = features[r];
  for (wrcor::i64 first = 0; first < count; ++lengths) {
    *lengths = wrcor::correlation_run(type, rows, responses.data() + first, count - first).count;
    first += *lengths;
  }
  return wrcor::correlation_workspace_bytes(type, rows, responses.data(), count);
}

// plan [3]: words of a row, blocks of the first launch, bytes of workspace.
void wrcor_raw_hamming_plan(int element, wrcor::i64 rows, wrcor::i64 features, wrcor::i64* plan) {
  const auto type = static_cast<wrcor::Element>(element);
  wrcor::with_type(type, [&](auto tag) {
    const auto how = wrcor::hamming_plan<typename decltype(tag)::type>(rows, features);
    plan[0] = how.words;
    plan[1] = how.blocks;
    return cudaSuccess;
  });
  plan[2] = wrcor::hamming_workspace_bytes(type, rows, features);
}

// plan [3]: dynamic shared memory or 0, most matrices of a launch, bytes of workspace.
void wrcor_raw_slogdet_plan(wrcor::i64 batch, wrcor::i64 n, wrcor::i64 shared_limit, wrcor::i64* plan) {
  const bool fits = wrcor::slogdet_fits(n, shared_limit);
  plan[0] = fits ? wrcor::lu_shared_bytes(n) : 0;
  plan[1] = fits || batch < wrcor::kBlockedBatch ? batch : wrcor::kBlockedBatch;
  plan[2] = wrcor::slogdet_workspace_bytes(batch, n, shared_limit);
}

}  // extern "C"
