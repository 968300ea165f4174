#include "models/topology.h"

#include <fmt/format.h>

#include <utility>

#include "core/error.h"

namespace octet {

int64_t Site::n() const {
  int64_t total = 0;
  for (const Matrix& matrix : matrices) total += matrix.n;
  return total;
}

std::string Site::weight_name(size_t i) const {
  return tied_to.empty() ? matrices[i].name + ".weight" : tied_to;
}

std::vector<int64_t> Table::shape() const {
  return stored.empty() ? std::vector<int64_t>{rows, dim} : stored;
}

Id Topology::add_site(Site site) {
  sites.push_back(std::move(site));
  return static_cast<Id>(sites.size()) - 1;
}

Id Topology::add_norm(Norm norm) {
  norms.push_back(std::move(norm));
  return static_cast<Id>(norms.size()) - 1;
}

Id site_index(const Topology& topology, const std::string& name) {
  for (size_t i = 0; i < topology.sites.size(); ++i) {
    if (topology.sites[i].name == name) return static_cast<Id>(i);
  }
  throw Error(fmt::format("no site \"{}\" in this architecture", name), "a site of its topology",
              "list them with `octet inspect MODEL`");
}

int64_t parameter_count(const Topology& topology) {
  int64_t total = 0;
  for (const Table& table : topology.tables) total += table.rows * table.dim;
  for (const Norm& norm : topology.norms) total += norm.dim * (norm.rms ? 1 : 2);
  for (const Site& site : topology.sites) {
    for (const Matrix& matrix : site.matrices) {
      if (site.tied_to.empty()) total += matrix.n * matrix.k;
      if (matrix.bias) total += matrix.n;
    }
  }
  return total;
}

}  // namespace octet
