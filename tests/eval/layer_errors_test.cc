#include "eval/layer_errors.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/log.h"
#include "models/data/samples.h"
#include "quant/load_model.h"
#include "tests/models/toys.h"

namespace octet {
namespace {

// 1.25 times what the float linear gives.
class TooLarge : public Linear {
 public:
  explicit TooLarge(std::unique_ptr<Linear> inner) : inner_(std::move(inner)) {}
  Format wants() const override { return Format::kFloat; }
  at::Tensor forward(const Activation& input) override { return inner_->forward(input) * 1.25; }
  void parameters(std::vector<Parameter>& out) override { inner_->parameters(out); }
  void warm_up(int64_t) override {}
  uint64_t bytes() const override { return inner_->bytes(); }

 private:
  std::unique_ptr<Linear> inner_;
};

class FixedSamples : public Samples {
 public:
  int64_t size() const override { return 5; }
  int64_t length(int64_t) const override { return 7; }
  TaskBatch batch(std::span<const int64_t> indices) const override {
    TaskBatch batch;
    batch.inputs.ids = at::arange(std::ssize(indices) * 7, at::TensorOptions(at::kLong))
                           .remainder(50)
                           .view({-1, 7});
    return batch;
  }
  const std::string& hash() const override { return hash_; }

 private:
  std::string hash_ = "fixed";
};

LoadedModel toy(LinearFactory factory) {
  LoadedModel loaded;
  loaded.config = test::toy_config();
  loaded.model = make_model(loaded.config);
  const Topology& topology = loaded.model->topology();
  loaded.executor = std::make_unique<Executor>(
      topology, memory_weights(random_tensors(topology, 1, 0.2)), std::move(factory));
  loaded.executor->load_all();
  return loaded;
}

TEST(LayerErrors, OneSiteTooLargeByAQuarter) {
  const LinearFactory plain = float_factory(at::kFloat, at::kCPU);
  LoadedModel reference = toy(plain);
  LoadedModel model = toy([&](const Site& site, WeightSource& source) -> std::unique_ptr<Linear> {
    auto linear = plain(site, source);
    if (!site.name.ends_with("1.mlp.down_proj")) return linear;
    return std::make_unique<TooLarge>(std::move(linear));
  });
  Log log;
  StopToken stop;
  Context context{log, stop};
  const auto errors = layer_errors(reference, model, FixedSamples(), 4, 3, context);
  ASSERT_EQ(errors.size(), 1);
  EXPECT_EQ(errors[0].site, "model.layers.1.mlp.down_proj");
  EXPECT_NEAR(errors[0].error, 0.25, 1e-6);
  EXPECT_TRUE(layer_errors(reference, reference, FixedSamples(), 4, 3, context).empty());
}

}  // namespace
}  // namespace octet
