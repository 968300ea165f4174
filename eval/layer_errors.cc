#include "eval/layer_errors.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <numeric>

#include "models/data/samples.h"
#include "quant/load_model.h"

namespace octet {
namespace {

struct Squares {
  double error = 0, value = 0;
};

double squared_norm(const at::Tensor& x) {
  return at::sum(at::square(x.to(at::kFloat)), at::kDouble).item<double>();
}

// Runs each site of the other model beside the observed one.
class Comparer : public SiteObserver {
 public:
  explicit Comparer(LoadedModel& other)
      : other_(other), sums_(other.model->topology().sites.size()) {}

  void on_input(Id site, const at::Tensor& x) override {
    if (!differs(site)) return;
    input_ = x;
  }

  void on_output(Id site, const at::Tensor& y) override {
    if (!differs(site)) return;
    Executor& executor = *other_.executor;
    const at::Tensor x = input_.to(executor.options().compute).contiguous();
    const at::Tensor quantized = executor.linear(site, executor.quantize_input(site, x), {});
    Squares& sum = sums_[static_cast<size_t>(site)];
    sum.error += squared_norm(quantized.to(at::kFloat) - y.to(at::kFloat));
    sum.value += squared_norm(y);
  }

  std::vector<LayerError> errors() const {
    std::vector<LayerError> all;
    for (size_t i = 0; i < sums_.size(); ++i) {
      if (!differs(static_cast<Id>(i))) continue;
      const double value = sums_[i].value > 0 ? sums_[i].value : 1;
      all.push_back({other_.model->topology().sites[i].name, std::sqrt(sums_[i].error / value)});
    }
    return all;
  }

 private:
  bool differs(Id site) const {
    return dynamic_cast<const FloatLinear*>(&other_.executor->linear_of(site)) == nullptr;
  }

  LoadedModel& other_;
  std::vector<Squares> sums_;
  at::Tensor input_;
};

// An observer for as long as it lives.
class Observed {
 public:
  Observed(Executor& executor, SiteObserver& observer) : executor_(executor) {
    executor_.observe(&observer);
  }
  ~Observed() { executor_.observe(nullptr); }
  Observed(const Observed&) = delete;
  Observed& operator=(const Observed&) = delete;

 private:
  Executor& executor_;
};

}  // namespace

std::vector<LayerError> layer_errors(LoadedModel& reference, LoadedModel& model,
                                     const Samples& samples, int64_t count, int64_t batch,
                                     Context& context) {
  const at::NoGradGuard no_gradients;
  Comparer comparer(model);
  const Observed observed(*reference.executor, comparer);
  count = std::min(count, samples.size());
  for (int64_t begin = 0; begin < count; begin += batch) {
    context.stop.check("run the same command again");
    std::vector<int64_t> indices(static_cast<size_t>(std::min(batch, count - begin)));
    std::iota(indices.begin(), indices.end(), begin);
    const Batch inputs = samples.batch(indices).inputs;
    forward(*reference.model, *reference.executor, inputs);
  }
  return comparer.errors();
}

}  // namespace octet
