// Collects SiteStatistics while a model runs.
#pragma once
#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "calib/site_statistics.h"
#include "models/run/executor.h"

namespace octet {

/// Observes the chosen sites and ignores the others. Tensors may be float32, float16 or bfloat16 on
/// the CPU or (with the CUDA kernels) on a GPU; statistics are those of the values widened to
/// float32. Error naming the site on NaN or infinity in an input or output.
class CalibrationObserver : public SiteObserver {
 public:
  /// All of `sites` are indices of topology.sites; names are taken from it.
  CalibrationObserver(const Topology& topology, const std::vector<Id>& sites);

  void on_input(Id site, const at::Tensor& x) override;
  void on_output(Id site, const at::Tensor& y) override;

  /// By site name, including chosen sites that never ran (with k() == 0).
  const std::map<std::string, SiteStatistics>& statistics() const { return statistics_; }
  /// Returns the same and resets the observer.
  std::map<std::string, SiteStatistics> take();

 private:
  struct Observed {
    const std::string* name = nullptr;
    SiteStatistics* statistics = nullptr;
  };
  Observed find(Id site);
  std::map<Id, std::string> names_;
  std::map<std::string, SiteStatistics> statistics_;
};

}  // namespace octet
