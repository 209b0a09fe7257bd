// Checks of op inputs; declared in stable.h.
#include "stable.h"

namespace wrcor {
namespace {

std::string dtype_name(const Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case ScalarType::Bool: return "bool";
    case ScalarType::Byte: return "uint8";
    case ScalarType::Char: return "int8";
    case ScalarType::Short: return "int16";
    case ScalarType::Int: return "int32";
    case ScalarType::Long: return "int64";
    case ScalarType::Half: return "float16";
    case ScalarType::BFloat16: return "bfloat16";
    case ScalarType::Float: return "float32";
    case ScalarType::Double: return "float64";
    case ScalarType::ComplexFloat: return "complex64";
    case ScalarType::ComplexDouble: return "complex128";
    default: return concat("dtype number ", static_cast<int>(tensor.scalar_type()));
  }
}

bool on_one_device(const Tensor& a, const Tensor& b) {
  return a.is_cpu() == b.is_cpu() && a.get_device_index() == b.get_device_index();
}

void check_rows(const std::string& name, int64_t rows) {
  WRCOR_CHECK(rows >= 1 && rows <= kMaxRows, name, " must have 1 to ", kMaxRows, " rows, not ", rows, ".");
}

std::string list_text(torch::headeronly::HeaderOnlyArrayRef<int64_t> values) {
  std::ostringstream text;
  text << "[";
  for (size_t at = 0; at < values.size(); ++at) text << (at > 0 ? ", " : "") << values[at];
  text << "]";
  return text.str();
}

void check_contiguous(const char* name, const Tensor& tensor) {
  WRCOR_CHECK(tensor.is_contiguous(), name, " must be contiguous, not have strides ", list_text(tensor.strides()), ".");
}

}  // namespace

std::string shape_text(const Tensor& tensor) { return list_text(tensor.sizes()); }

std::string device_text(const Tensor& tensor) {
  return tensor.is_cpu() ? "cpu" : concat(tensor.is_cuda() ? "cuda" : "device", ":", tensor.get_device_index());
}

void check_response(const Tensor& x, const std::string& name) {
  const ScalarType dtype = x.scalar_type();
  WRCOR_CHECK(dtype == ScalarType::Float || dtype == ScalarType::Double || dtype == ScalarType::Half ||
                  dtype == ScalarType::BFloat16,
              name, " must be float32, float64, float16 or bfloat16, not ", dtype_name(x), ".");
  WRCOR_CHECK(x.dim() >= 2, name, " must have at least 2 dimensions [N, ...], not ", x.dim(), ".");
  check_rows(name, x.size(0));
  WRCOR_CHECK(x.numel() > 0, name, " must have at least one feature in each row, not shape ", shape_text(x), ".");
}

void check_accumulator(const Tensor& k, const Tensor& x, const Tensor& counts) {
  check_response(x);
  const int64_t n = x.size(0);
  WRCOR_CHECK(k.scalar_type() == ScalarType::Double, "k must be float64, not ", dtype_name(k), ".");
  WRCOR_CHECK(k.dim() == 2 && k.size(0) == n && k.size(1) == n, "k must have shape [", n, ", ", n, "] to match x, not ",
              shape_text(k), ".");
  check_contiguous("k", k);
  WRCOR_CHECK(counts.scalar_type() == ScalarType::Long, "counts must be int64, not ", dtype_name(counts), ".");
  WRCOR_CHECK(counts.dim() == 1 && counts.size(0) == 2, "counts must have shape [2], not ", shape_text(counts), ".");
  check_contiguous("counts", counts);
  WRCOR_CHECK(on_one_device(k, x) && on_one_device(counts, x), "k, x and counts must be on one device, not ",
              device_text(k), ", ", device_text(x), " and ", device_text(counts), ".");
}

void check_group(const Tensor& k, const std::vector<Tensor>& xs, const std::vector<double>& weights,
                 const Tensor& used) {
  WRCOR_CHECK(!xs.empty(), "xs must hold at least one response.");
  const Tensor& first = xs.front();
  for (size_t r = 0; r < xs.size(); ++r) {
    const Tensor& x = xs[r];
    const std::string name = concat("xs[", r, "]");
    check_response(x, name);
    WRCOR_CHECK(x.scalar_type() == first.scalar_type(), name, " must be ", dtype_name(first), " like xs[0], not ",
                dtype_name(x), ".");
    WRCOR_CHECK(x.size(0) == first.size(0), name, " must have ", first.size(0), " rows like xs[0], not ", x.size(0),
                ".");
    WRCOR_CHECK(on_one_device(x, first), name, " must be on ", device_text(first), " like xs[0], not on ",
                device_text(x), ".");
  }
  const int64_t n = first.size(0);
  const auto count = static_cast<int64_t>(xs.size());
  WRCOR_CHECK(k.scalar_type() == ScalarType::Double, "k must be float64, not ", dtype_name(k), ".");
  WRCOR_CHECK(k.dim() == 3 && k.size(0) >= 1 && k.size(0) <= kMaxGroupSums && k.size(1) == n && k.size(2) == n,
              "k must have shape [S, ", n, ", ", n, "] with S from 1 to ", kMaxGroupSums, " to match xs, not ",
              shape_text(k), ".");
  check_contiguous("k", k);
  const int64_t factors = k.size(0) * count;
  WRCOR_CHECK(static_cast<int64_t>(weights.size()) == factors, "weights must hold ", k.size(0), " x ", count, " = ",
              factors, " factors, those of the first sum first, not ", weights.size(), ".");
  WRCOR_CHECK(used.scalar_type() == ScalarType::Long, "used must be int64, not ", dtype_name(used), ".");
  WRCOR_CHECK(used.dim() == 1 && used.size(0) == count, "used must have shape [", count, "] to match xs, not ",
              shape_text(used), ".");
  check_contiguous("used", used);
  WRCOR_CHECK(on_one_device(k, first) && on_one_device(used, first), "k, xs and used must be on one device, not ",
              device_text(k), ", ", device_text(first), " and ", device_text(used), ".");
}

void check_square(const Tensor& k) {
  WRCOR_CHECK(k.scalar_type() == ScalarType::Double, "k must be float64, not ", dtype_name(k), ".");
  WRCOR_CHECK(k.dim() >= 2 && k.size(k.dim() - 1) == k.size(k.dim() - 2), "k must have shape [..., N, N], not ",
              shape_text(k), ".");
  check_rows("k", k.size(k.dim() - 1));
}

}  // namespace wrcor
