// wrcor_ext._spaces: the search-space algorithms for Python. Every function has a twin of the same name and behaviour
// in wrcor_ext/spaces/nasbench101_graph.py.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "nasbench101_cell.h"
#include "nasbench101_hash.h"
#include "nasbench101_space.h"

namespace py = pybind11;
using namespace wrcor::spaces;

namespace {

Cell checked(Code code) {
  if (!well_formed(code)) throw std::invalid_argument(std::to_string(code) + " is not the code of a cell");
  return unpack(code);
}

std::string hash_of(Code code) {
  const Md5Text text = cell_hash(checked(code));
  return {text.data(), text.size()};
}

Code pruned(Code code) {
  Cell cell = checked(code);
  return prune(cell) ? pack(cell) : 0;
}

std::vector<std::pair<Code, std::vector<Permutation>>> classes() {
  std::vector<std::pair<Code, std::vector<Permutation>>> result;
  for (GraphClass& found : graph_classes()) result.emplace_back(found.graph, std::move(found.automorphisms));
  return result;
}

py::array_t<Code> all_codes() {
  const std::vector<Code> codes = enumerate_codes();
  return py::array_t<Code>(static_cast<py::ssize_t>(codes.size()), codes.data());
}

}  // namespace

PYBIND11_MODULE(_spaces, m) {
  m.doc() = "Compiled search-space algorithms; wrcor_ext.spaces.nasbench101_graph documents each.";
  m.def("valid", &valid, py::arg("code"));
  m.def("prune", &pruned, py::arg("code"));
  m.def("cell_hash", &hash_of, py::arg("code"));
  m.def("graph_classes", &classes);
  m.def("enumerate_codes", &all_codes);
}
