#include "calib/store.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <limits>

#include "core/containers/hdf5.h"
#include "core/error.h"
#include "tests/calib/reference.h"
#include "tests/environment.h"

namespace octet {
namespace {

using ::testing::HasSubstr;

constexpr const char* kProvenance = R"({"model":{"sha256":"ab"},"options":{"seed":1}})";
constexpr int64_t kUnits = 7;

// Unit u: 5 + u tokens at two sites, with magnitudes that differ between units by powers of ten.
CalibrationStore of_units(const std::vector<int64_t>& units, int64_t shard, int64_t shards) {
  CalibrationStore store{kProvenance, kUnits, units, shard, shards, {}};
  for (const auto& [site, k] : {std::pair{"layers.0.qkv", 48}, std::pair{"layers.0.down", 130}}) {
    SiteStatistics& statistics = store.sites[site];
    for (const int64_t unit : units) {
      const auto x = reference::values(static_cast<uint64_t>(unit * 1000 + k),
                                       static_cast<size_t>((5 + unit) * k),
                                       std::pow(10.0, static_cast<double>(unit % 4) * 2 - 3));
      statistics.add(x.data(), 5 + unit, k, site);
      statistics.output_absmax =
          std::max(statistics.output_absmax, 1.5f * static_cast<float>(unit));
    }
  }
  return store;
}

CalibrationStore whole() {
  return of_units({0, 1, 2, 3, 4, 5, 6}, 0, 1);
}

std::vector<CalibrationStore> three() {
  return {of_units({0, 3, 6}, 0, 3), of_units({1, 4}, 1, 3), of_units({2, 5}, 2, 3)};
}

std::string error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Store, RoundTrip) {
  const reference::Folder folder("octet-store");
  const CalibrationStore store = three()[1];
  save(store, folder / "a.h5");
  EXPECT_EQ(load_calibration(folder / "a.h5"), store);
  CalibrationStore empty{kProvenance, 4, {}, 3, 9, {}};
  empty.sites["never.ran"];
  save(empty, folder / "b.h5");
  EXPECT_EQ(load_calibration(folder / "b.h5"), empty);
  EXPECT_FALSE(empty.complete());
  EXPECT_TRUE(whole().complete());
}

TEST(Store, LargeProvenance) {
  const reference::Folder folder("octet-store");
  CalibrationStore store = whole();
  store.provenance = R"({"files":")" + std::string(200000, 'x') + "\"}";
  save(store, folder / "a.h5");
  EXPECT_EQ(load_calibration(folder / "a.h5").provenance, store.provenance);
}

template <typename T>
std::string bytes(const T& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0])};
}

// Every array as bytes and every number as its bits.
std::string all_bytes(const CalibrationStore& store) {
  std::string text = store.provenance + bytes(store.units);
  for (const auto& [site, s] : store.sites) {
    text +=
        site + bytes(s.channel_absmax) + std::to_string(std::bit_cast<uint32_t>(s.output_absmax));
    for (const Histogram* h : {&s.values, &s.tokens}) {
      text += bytes(h->counts()) + fmt::format("{} {} {} {}", h->zeros(), h->total(), h->exponent(),
                                               std::bit_cast<uint32_t>(h->absmax()));
    }
  }
  return text;
}

TEST(Store, ShardsInAnyOrderAreTheSingleRun) {
  const reference::Folder folder("octet-store");
  const auto shards = three();
  save(whole(), folder / "whole.h5");
  const std::string expected = all_bytes(load_calibration(folder / "whole.h5"));
  for (const auto& shard : shards) save(shard, folder / fmt::format("{}.h5", shard.shard));
  std::vector<int> order = {0, 1, 2};
  do {
    std::vector<std::filesystem::path> files;
    for (const int i : order) files.push_back(folder / fmt::format("{}.h5", i));
    const CalibrationStore merged = merge_files(files);
    EXPECT_TRUE(merged.complete());
    EXPECT_EQ(merged.shards, 1);
    save(merged, folder / "merged.h5");
    EXPECT_EQ(all_bytes(load_calibration(folder / "merged.h5")), expected);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Store, AnyThreadsTheSameStatistics) {
  const int64_t rows = 700, k = 576;
  const auto x = reference::values(5, static_cast<size_t>(rows * k), 1e4);
  SiteStatistics together, apart;
  together.add(x.data(), rows, k, "s");
  for (int64_t r = rows - 1; r >= 0; --r) apart.add(x.data() + r * k, 1, k, "s");
  EXPECT_EQ(together, apart);
  for (int64_t j = 0; j < k; ++j) {
    float most = 0;
    for (int64_t r = 0; r < rows; ++r) {
      most = std::max(most, std::abs(x[static_cast<size_t>(r * k + j)]));
    }
    ASSERT_EQ(together.channel_absmax[static_cast<size_t>(j)], most);
  }
  EXPECT_EQ(together.token_count(), rows);
  EXPECT_EQ(together.values.total(), rows * k);
}

TEST(Store, StatisticsRefuseWhatIsNotFinite) {
  SiteStatistics made;
  std::vector<float> x(12, 1.0f);
  made.add(x.data(), 3, 4, "layers.1.fc");
  const SiteStatistics before = made;
  x[6] = std::nanf("");
  EXPECT_THAT(error_of([&] { made.add(x.data(), 3, 4, "layers.1.fc"); }),
              HasSubstr("NaN in channel 2 of the input of layers.1.fc"));
  x[6] = -INFINITY;
  EXPECT_THAT(error_of([&] { made.add(x.data(), 3, 4, "layers.1.fc"); }),
              HasSubstr("infinity in channel 2"));
  x[6] = 0;
  EXPECT_THAT(error_of([&] { made.add(x.data(), 4, 3, "layers.1.fc"); }), HasSubstr("3 channels"));
  EXPECT_EQ(made, before);
}

TEST(Store, MergeRefuses) {
  auto shards = three();
  EXPECT_THAT(error_of([&] { merge({shards[0], shards[2]}); }), HasSubstr("missing units: 1, 4;"));
  EXPECT_THAT(error_of([&] {
                merge({shards[0], shards[1], shards[0], shards[2]});
              }),
              HasSubstr("units that occur twice: 0, 3, 6;"));
  EXPECT_THROW(merge({}), UsageError);
  auto other = shards;
  other[2].provenance = R"({"options":{"seed":2},"model":{"sha256":"ab"}})";
  EXPECT_THAT(error_of([&] { merge(other); }), HasSubstr("shard 0/3 and shard 2/3"));
  EXPECT_THAT(error_of([&] { merge(other); }), HasSubstr("different runs: options.seed (1, 2);"));
  other = shards;
  other[1].provenance = R"({"options":{"seed":1},"model":{"sha256":"ab"}})";
  EXPECT_EQ(all_bytes(merge(other)), all_bytes(merge(shards)));
  other = shards;
  other[1].units_total = 8;
  EXPECT_THAT(error_of([&] { merge(other); }), HasSubstr("7 units in 3 shards, and of 8 in 3"));
  other = shards;
  other[1].sites.erase("layers.0.down");
  EXPECT_THAT(error_of([&] { merge(other); }), HasSubstr("site layers.0.down in one only"));
  other = shards;
  other[1].sites["layers.0.down"] = other[1].sites["layers.0.qkv"];
  EXPECT_THAT(error_of([&] { merge(other); }), HasSubstr("48 channels"));
}

TEST(Store, SaveRefusesAndLeavesNothing) {
  const reference::Folder folder("octet-store");
  const auto refused = [&](const std::function<void(CalibrationStore&)>& spoil) {
    CalibrationStore store = whole();
    spoil(store);
    EXPECT_THROW(save(store, folder / "a.h5"), Error);
  };
  refused([](auto& s) { s.provenance = "[]"; });
  refused([](auto& s) { s.provenance = "{"; });
  refused([](auto& s) { s.units = {0, 0}; });
  refused([](auto& s) { s.units = {0, 7}; });
  refused([](auto& s) { s.units = {1, 0}; });
  refused([](auto& s) { s.shard = 1; });
  refused([](auto& s) { s.sites["a/b"]; });
  refused([](auto& s) { s.sites[""]; });
  refused([](auto& s) { s.sites.begin()->second.channel_absmax.pop_back(); });
  refused([](auto& s) { s.sites.begin()->second.output_absmax = NAN; });
  EXPECT_TRUE(std::filesystem::is_empty(folder / ""));
}

TEST(StoreOracle, H5pyReadsAndRecomputes) {
  const reference::Folder folder("octet-store");
  save(three()[0], folder / "a.h5");
  std::ofstream raw(folder / "x.f32", std::ios::binary);
  for (const int64_t unit : {0, 3, 6}) {
    const auto x = reference::values(static_cast<uint64_t>(unit * 1000 + 48),
                                     static_cast<size_t>((5 + unit) * 48),
                                     std::pow(10.0, static_cast<double>(unit % 4) * 2 - 3));
    raw << bytes(x);
  }
  raw.close();
  const std::string command =
      fmt::format("{} {}/tests/calib/store_oracle.py {} {}", test::python_binary(),
                  test::source_dir(), (folder / "a.h5").string(), (folder / "x.f32").string());
  EXPECT_EQ(std::system(command.c_str()), 0);
}

}  // namespace
}  // namespace octet
