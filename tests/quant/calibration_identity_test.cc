// A calibration serves the weights that it was taken from, and no others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "calib/calibrate.h"
#include "models/source_model.h"
#include "quant/quantize.h"
#include "tests/core/support.h"
#include "tests/tools/toy_directory.h"

namespace octet::test {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using ::testing::Not;

class CalibrationIdentity : public ::testing::Test {
 protected:
  void SetUp() override {
    write_toy(folder_ / "toy");
    // As a fine-tune leaves it: the same names, shapes and sizes, one matrix a little different.
    write_toy(folder_ / "tuned", [](std::map<std::string, at::Tensor>& tensors) {
      tensors.at("model.layers.1.mlp.down_proj.weight").mul_(1.01);
    });
    testing::put(folder_ / "text.txt", std::string(2000, 'a'));
    CalibrateOptions options;
    options.model = folder_ / "toy", options.data = folder_ / "text.txt", options.out = calib();
    options.samples = 4, options.length = 16;
    calibrate(SourceModel(options.model), options, context_);
  }

  std::string calib() const { return folder_ / "calib.h5"; }

  // What quantizing `model` by the store writes to the log.
  std::string quantize_by_store(const std::string& model) {
    QuantizeOptions options;
    options.model = folder_ / model, options.out = folder_ / "out";
    options.scheme = "w8a8-static", options.calib = calib();
    ::testing::internal::CaptureStderr();
    try {
      quantize(SourceModel(options.model), options, context_);
    } catch (...) {
      ::testing::internal::GetCapturedStderr();
      throw;
    }
    std::filesystem::remove_all(folder_ / "out");
    return ::testing::internal::GetCapturedStderr();
  }

  void set_stored_model(const nlohmann::json& value) {
    CalibrationStore store = load_calibration(calib());
    auto provenance = nlohmann::json::parse(store.provenance);
    provenance["model"] = value;
    store.provenance = provenance.dump();
    save(store, calib());
  }

  testing::TempDir folder_;
  Log log_{true};
  StopToken stop_;
  Context context_{log_, stop_, "cpu", 2};
};

TEST_F(CalibrationIdentity, OfTheSameWeightsIsTakenWithoutAWord) {
  EXPECT_THAT(quantize_by_store("toy"), Not(HasSubstr("older octet")));
}

TEST_F(CalibrationIdentity, OfOtherWeightsUnderTheSameNamesIsRefused) {
  ASSERT_EQ(SourceModel(folder_ / "toy").older_fingerprint(),
            SourceModel(folder_ / "tuned").older_fingerprint());
  const std::string error = error_of([&] { quantize_by_store("tuned"); });
  EXPECT_THAT(error, HasSubstr("calib.h5 belongs to another model"));
  EXPECT_THAT(error, HasSubstr("tuned"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
}

TEST_F(CalibrationIdentity, OfAnOlderOctetIsTakenWithAWarning) {
  set_stored_model(SourceModel(folder_ / "toy").older_fingerprint());
  const std::string said = quantize_by_store("toy");
  EXPECT_THAT(said, HasSubstr(calib()));
  EXPECT_THAT(said, HasSubstr("older octet"));
  EXPECT_THAT(said, HasSubstr("names and sizes"));
}

TEST_F(CalibrationIdentity, OfAnOlderOctetAndOtherNamesIsRefused) {
  for (const nlohmann::json& other : {nlohmann::json(std::string(64, '0')), nlohmann::json(5),
                                      nlohmann::json("v3:" + std::string(64, '0'))}) {
    set_stored_model(other);
    EXPECT_THAT(error_of([&] { quantize_by_store("toy"); }), HasSubstr("another model")) << other;
  }
}

}  // namespace
}  // namespace octet::test
