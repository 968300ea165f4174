// What an observer sees of a padded batch: the real tokens of the side that a site runs on.
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "models/weights/weight_sources.h"
#include "tests/models/architecture_toys.h"

namespace octet::test {
namespace {

struct Recorder : SiteObserver {
  std::map<Id, at::Tensor> inputs, outputs;
  void on_input(Id site, const at::Tensor& x) override { inputs[site] = x.clone(); }
  void on_output(Id site, const at::Tensor& y) override { outputs[site] = y.clone(); }
};

struct Toy {
  explicit Toy(const ModelConfig& of)
      : config(of),
        model(make_model(of)),
        executor(model->topology(), memory_weights(random_tensors(model->topology(), 1, 0.2)),
                 float_factory(at::kFloat, at::kCPU)) {
    executor.load_all();
  }
  ModelConfig config;
  std::unique_ptr<Model> model;
  Executor executor;
};

class ObservedRows : public testing::TestWithParam<size_t> {};

TEST_P(ObservedRows, AreTheRealTokensOfTheirSide) {
  const at::NoGradGuard no_gradients;
  Toy toy(toy_of(architectures()[GetParam()]));
  Recorder recorder;
  toy.executor.observe(&recorder);
  forward(*toy.model, toy.executor, toy_batch(toy.config));
  const Topology& t = toy.model->topology();
  ASSERT_EQ(recorder.inputs.size(), t.sites.size());
  for (size_t i = 0; i < t.sites.size(); ++i) {
    const Site& site = t.sites[i];
    int64_t tokens = 15;  // a source of 9 and 6 tokens
    if (toy.config.image)
      tokens = site.block == kOutside ? 2 : 2 * (toy.config.image->patches() + 1);
    const bool memory = site.name.ends_with("encoder_attn.kv_proj");
    const bool decoder = site.block == kOutside || site.block >= t.encoder_blocks;
    if (t.encoder_blocks > 0 && decoder && !memory) tokens = 10;  // a target of 6 and 4 tokens
    const Id id = static_cast<Id>(i);
    EXPECT_EQ(recorder.inputs[id].sizes(), at::IntArrayRef({tokens, site.k()})) << site.name;
    EXPECT_EQ(recorder.outputs[id].sizes(), at::IntArrayRef({tokens, site.n()})) << site.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Architectures, ObservedRows,
                         testing::Range<size_t>(0, architectures().size()), [](const auto& info) {
                           return std::string(architectures()[info.param].name);
                         });

// The rows are those that the mask marks, not just as many of them.
TEST(Observed, PaddingChangesNothingThatIsSeen) {
  const at::NoGradGuard no_gradients;
  Toy toy(toy_of(*find_architecture("LlamaForCausalLM")));
  Batch batch = toy_batch(toy.config);
  Recorder one, other;
  toy.executor.observe(&one);
  forward(*toy.model, toy.executor, batch);
  batch.ids = at::where(batch.mask, batch.ids, at::full_like(batch.ids, 41));
  toy.executor.observe(&other);
  forward(*toy.model, toy.executor, batch);
  for (const auto& [site, x] : one.inputs) EXPECT_TRUE(at::equal(x, other.inputs.at(site))) << site;
}

TEST(Observed, LastPositionAloneIsSeenOfTheHead) {
  const at::NoGradGuard no_gradients;
  for (const char* name : {"LlamaForCausalLM", "MarianMTModel"}) {
    Toy toy(toy_of(*find_architecture(name)));
    Recorder recorder;
    toy.executor.observe(&recorder);
    forward(*toy.model, toy.executor, toy_batch(toy.config), nullptr, true);
    const Id head = site_index(toy.model->topology(), "lm_head");
    EXPECT_EQ(recorder.inputs.at(head).size(0), 2) << name;
  }
}

TEST(Observed, AMaskOfAnotherLengthIsRefused) {
  const at::NoGradGuard no_gradients;
  Toy toy(toy_of(*find_architecture("LlamaForCausalLM")));
  const Activation input = toy.executor.quantize_input(0, at::ones({2, 3, toy.config.hidden}));
  const at::Tensor mask = at::ones({2, 4}, at::kBool);
  EXPECT_NO_THROW(toy.executor.linear(0, input, mask)) << "nobody looks";
  Recorder recorder;
  toy.executor.observe(&recorder);
  EXPECT_THROW(toy.executor.linear(0, input, mask), Error);
}

}  // namespace
}  // namespace octet::test
