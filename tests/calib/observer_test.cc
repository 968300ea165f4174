#include "calib/observer.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "calib/store.h"
#include "core/error.h"
#include "tests/calib/reference.h"
#include "tests/device.h"

namespace octet {
namespace {

Topology three_sites() {
  Topology topology;
  for (const char* name : {"layers.0.qkv", "layers.0.fc", "lm_head"}) {
    topology.sites.push_back({0, name, {{name, 8, 24, false}}, ""});
  }
  return topology;
}

at::Tensor tensor(uint64_t seed, int64_t rows, int64_t k, double spread = 100) {
  auto x = reference::values(seed, static_cast<size_t>(rows * k), spread);
  return at::from_blob(x.data(), {rows, k}, at::kFloat).clone();
}

SiteStatistics expected(const at::Tensor& x) {
  const at::Tensor wide = x.to(at::kCPU, at::kFloat).contiguous();
  SiteStatistics made;
  made.add(wide.data_ptr<float>(), wide.size(0), wide.size(1), "expected");
  return made;
}

// Statistics of the same values are the same bits on every device.
class Observer : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { device_ = test::device_under_test(GetParam()); }
  at::Device device_ = at::kCPU;
};

TEST_P(Observer, KeepsTheChosenSitesOnly) {
  CalibrationObserver observer(three_sites(), {1, 2});
  const at::Tensor x = tensor(1, 10, 24).to(device_), more = tensor(2, 3, 24, 1e5).to(device_);
  observer.on_input(0, x);
  observer.on_input(1, x);
  observer.on_input(1, more);
  observer.on_output(1, -7 * at::ones({10, 8}, device_));
  observer.on_output(0, at::full({10, 8}, NAN, device_));
  const auto& seen = observer.statistics();
  ASSERT_EQ(seen.size(), 2u);
  SiteStatistics both = expected(at::cat({more, x}));
  both.output_absmax = 7;
  EXPECT_EQ(seen.at("layers.0.fc"), both);
  EXPECT_EQ(seen.at("lm_head"), SiteStatistics());
  EXPECT_EQ(observer.take().at("layers.0.fc"), both);
  EXPECT_EQ(observer.statistics().at("layers.0.fc"), SiteStatistics());
}

TEST_P(Observer, WidensHalfTypesAndReadsStridedTensors) {
  for (const auto dtype : {at::kHalf, at::kBFloat16, at::kFloat}) {
    CalibrationObserver observer(three_sites(), {0});
    const at::Tensor x = tensor(3, 24, 10).to(device_, dtype).t().requires_grad_();
    ASSERT_FALSE(x.is_contiguous());
    observer.on_input(0, x);
    observer.on_output(0, x);
    SiteStatistics made = expected(x.detach());
    made.output_absmax = made.values.absmax();
    EXPECT_EQ(observer.statistics().at("layers.0.qkv"), made);
  }
}

TEST_P(Observer, NoTokensIsNothing) {
  CalibrationObserver observer(three_sites(), {0});
  observer.on_input(0, at::zeros({0, 24}, device_));
  observer.on_output(0, at::zeros({0, 8}, device_));
  EXPECT_EQ(observer.statistics().at("layers.0.qkv"), SiteStatistics());
}

TEST_P(Observer, NamesTheSiteOfWhatIsNotFinite) {
  CalibrationObserver observer(three_sites(), {1});
  at::Tensor x = tensor(4, 5, 24).to(device_);
  x[3][20] = INFINITY;
  const auto message = [&observer](bool input, const at::Tensor& value) -> std::string {
    try {
      input ? observer.on_input(1, value) : observer.on_output(1, value);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message(true, x),
              ::testing::HasSubstr("infinity in channel 20 of the input of layers.0.fc"));
  x[3][20] = NAN;
  EXPECT_THAT(message(true, x),
              ::testing::HasSubstr("NaN in channel 20 of the input of layers.0.fc"));
  EXPECT_THAT(message(false, x), ::testing::HasSubstr("nan in the output of layers.0.fc"));
  EXPECT_EQ(observer.statistics().at("layers.0.fc"), SiteStatistics());
}

TEST_P(Observer, AStoreOfItsShardsIsThatOfTheCpu) {
  const reference::Folder folder("octet-observer");
  CalibrationObserver observer(three_sites(), {0, 1});
  SiteStatistics all;
  std::vector<std::filesystem::path> shards;
  for (int64_t unit = 0; unit < 2; ++unit) {
    // Later units are larger: bins grow while a device counts in them.
    const at::Tensor x = tensor(7 + static_cast<uint64_t>(unit), 600, 24, 1 + 1e4 * unit);
    observer.on_input(0, x.to(device_));
    observer.on_output(0, x.to(device_));
    const SiteStatistics one = expected(x);
    CalibrationStore store{"{}", 2, {unit}, unit, 2, observer.take()};
    shards.push_back(folder / std::to_string(unit));
    save(store, shards.back());
    all.merge(one, "all");
    all.output_absmax = std::max(all.output_absmax, one.values.absmax());
  }
  const CalibrationStore merged = merge_files(shards);
  EXPECT_EQ(merged.sites.at("layers.0.qkv"), all);
  EXPECT_EQ(merged.sites.at("layers.0.fc"), SiteStatistics());
}

INSTANTIATE_TEST_SUITE_P(Cpu, Observer, testing::Values("cpu"));
INSTANTIATE_TEST_SUITE_P(Gpu, Observer, testing::Values("cuda"));

}  // namespace
}  // namespace octet
