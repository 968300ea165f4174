// Toy models of each architecture with units to walk over, and what they give when run whole.
#pragma once
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <nlohmann/json.hpp>

#include "tests/models/marian_toys.h"
#include "tests/models/toys.h"

namespace octet::test {

inline constexpr int64_t kUnits = 4;
inline const std::vector<std::string> kSubjects = {"decoder", "busy_decoder", "encoder_decoder",
                                                   "marian", "vit"};

/// A toy model of each architecture, and a batch of another size for each unit.
struct Subject {
  explicit Subject(const std::string& chosen) : name(chosen) {
    for (const Toy& toy : toys()) {
      if (toy.name == name) model = toy.model, source = toy.source;
    }
    if (model) return;
    const nlohmann::json vit = {{"architectures", {"ViTForImageClassification"}},
                                {"hidden_size", 24},
                                {"intermediate_size", 40},
                                {"num_hidden_layers", 3},
                                {"num_attention_heads", 4},
                                {"image_size", 12},
                                {"patch_size", 4},
                                {"num_channels", 1},
                                {"num_labels", 5}};
    model = make_model(parse_config(name == "vit" ? vit : toy_marian_json(40), name));
    source = memory_weights(random_tensors(model->topology(), 4, 0.2));
  }

  Executor executor(at::Device device, bool load) const {
    Executor made(model->topology(), source, float_factory(at::kFloat, device),
                  {at::kFloat, device, false});
    if (load) made.load_all();
    return made;
  }

  Batch batch(int64_t unit) const {
    Batch made;
    const int64_t rows = 1 + unit % 2, length = 7 + unit;
    if (name == "vit") {
      made.pixels = at::sin(at::arange(rows * 144).view({rows, 1, 12, 12}) + unit);
      return made;
    }
    made.ids = (at::arange(rows * length).view({rows, length}) * 7 + 3 * unit) % 37;
    if (!name.ends_with("decoder") || name == "encoder_decoder") {
      made.target_ids = (at::arange(rows * 5).view({rows, 5}) * 5 + unit) % 37;
      made.mask = at::ones({rows, length}, at::kBool);
      made.mask[0].narrow(0, length - 2, 2).fill_(false);
    }
    return made;
  }

  std::string name;
  std::shared_ptr<Model> model;
  std::shared_ptr<WeightSource> source;
};

/// What every site read and gave, unit by unit.
struct Recorder : SiteObserver {
  std::map<Id, std::vector<at::Tensor>> inputs, outputs;
  std::function<void()> event = [] {};
  void on_input(Id site, const at::Tensor& x) override {
    event();
    inputs[site].push_back(x.to(at::kCPU).clone());
  }
  void on_output(Id site, const at::Tensor& y) override {
    outputs[site].push_back(y.to(at::kCPU).clone());
  }
};

inline void expect_equal(const Recorder& got, const Recorder& expected) {
  ASSERT_EQ(got.inputs.size(), expected.inputs.size());
  for (const auto& [site, inputs] : expected.inputs) {
    ASSERT_EQ(got.inputs.at(site).size(), inputs.size()) << site;
    for (size_t unit = 0; unit < inputs.size(); ++unit) {
      EXPECT_TRUE(at::equal(got.inputs.at(site)[unit], inputs[unit])) << site << " " << unit;
      EXPECT_TRUE(at::equal(got.outputs.at(site)[unit], expected.outputs.at(site)[unit]));
    }
  }
}

/// The model run whole over each unit: logits, and what the sites of the blocks saw.
struct Whole {
  Whole(const Subject& subject, at::Device device) {
    const at::NoGradGuard no_gradients;
    Executor executor = subject.executor(device, true);
    for (int64_t unit = 0; unit < kUnits; ++unit) {
      const Batch batch = batch_on_device(subject.batch(unit), device);
      executor.observe(&seen);  // on a GPU an observed model runs other kernels
      logits.push_back(forward(*subject.model, executor, batch));
    }
    const auto& sites = subject.model->topology().sites;
    for (size_t site = 0; site < sites.size(); ++site) {
      if (sites[site].block == kOutside) seen.inputs.erase(static_cast<Id>(site));
    }
  }
  std::vector<at::Tensor> logits;
  Recorder seen;
};

}  // namespace octet::test
