// A toy language model, texts and a calibration, for tests of fine-tuning.
#pragma once
#include <gtest/gtest.h>

#include <string>

#include "finetune/finetune.h"
#include "models/source_model.h"
#include "tests/core/support.h"
#include "tests/tools/support.h"
#include "tests/tools/toy_directory.h"

namespace octet::test {

/// A toy, texts, and a calibration by the binary.
struct Scene {
  Scene() {
    write_toy(toy());
    std::string text = testing::get(english());
    testing::put(folder / "train.txt", text.substr(0, 20000));
    testing::put(folder / "valid.txt", text.substr(20000, 4000));
    const Output made = octet_cli("calibrate " + toy() + " --data " + train() +
                                  " --samples 16 --length 64 --out " + calib());
    EXPECT_EQ(made.code, 0) << made.text;
  }
  std::string toy() const { return folder / "toy"; }
  std::string train() const { return folder / "train.txt"; }
  std::string valid() const { return folder / "valid.txt"; }
  std::string calib() const { return folder / "calib.h5"; }
  FinetuneOptions options(const std::string& scheme, const std::string& out) const {
    FinetuneOptions o;
    o.quantize.model = toy(), o.quantize.scheme = scheme, o.quantize.out = folder / out;
    if (scheme == "w8a8-static") o.quantize.calib = calib();
    o.data = train(), o.eval_data = valid();
    o.length = 48, o.batch = 4, o.eval_samples = 24;
    o.trainer.steps = 40, o.trainer.warmup = 4, o.trainer.eval_every = 20;
    o.trainer.lr = scheme.starts_with("w4") ? 1e-3 : 1e-4;
    o.min_kl = 0;
    return o;
  }
  FinetuneResult run(const FinetuneOptions& options) {
    return finetune(SourceModel(options.quantize.model), options, {}, context);
  }
  testing::TempDir folder;
  Log log{true};
  StopToken stop;
  Context context{log, stop, "cpu", 0};
};

}  // namespace octet::test
