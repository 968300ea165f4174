// Files that look like calibration stores and are not: each breaks one rule of
// docs/calibration-store.md.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>

#include "calib/store.h"
#include "core/containers/hdf5.h"
#include "core/error.h"
#include "tests/calib/reference.h"

namespace octet {
namespace {

// What the file will hold; the defaults make a good store of one site with 3 tokens of 2 channels.
struct Parts {
  std::string format = "octet-calibration", provenance = "{}", site = "layers.0.fc";
  int64_t version = 1, units_total = 1, shard = 0, shards = 1, site_count = 1;
  std::vector<int64_t> units = {0};
  std::vector<int64_t> values = std::vector<int64_t>(2048), tokens = std::vector<int64_t>(2048);
  std::vector<int64_t> shape = {2048};
  int64_t values_zeros = 1, values_total = 6, tokens_zeros = 0, exponent = 1;
  double absmax = 1.0, tokens_absmax = 1.0, width = std::ldexp(1.0, -10), output = 2.5;
  std::vector<float> channels = {1.0f, 0.5f};
  bool with_tokens = true, float_counts = false;
  Parts() {
    values[1024] = 2;
    values[512] = 3;
    tokens[1024] = 2;
    tokens[512] = 1;
  }
};

void write_counts(Hdf5Writer& file, const Parts& parts, const std::string& path,
                  const std::vector<int64_t>& counts) {
  if (parts.float_counts) {
    const std::vector<double> wrong(counts.begin(), counts.end());
    file.dataset(path, wrong, parts.shape);
  } else {
    file.dataset(path, counts, parts.shape);
  }
}

void write(const Parts& parts, const std::filesystem::path& path) {
  Hdf5Writer file(path);
  file.attribute("/", "format", parts.format);
  file.attribute("/", "version", parts.version);
  file.attribute("/", "provenance", parts.provenance);
  file.attribute("/", "units_total", parts.units_total);
  file.attribute("/", "shard", parts.shard);
  file.attribute("/", "shards", parts.shards);
  file.dataset("/units", parts.units, {static_cast<int64_t>(parts.units.size())});
  file.attribute("/sites", "count", parts.site_count);
  const std::string group = "/sites/" + parts.site;
  write_counts(file, parts, group + "/values", parts.values);
  file.attribute(group + "/values", "zeros", parts.values_zeros);
  file.attribute(group + "/values", "total", parts.values_total);
  file.attribute(group + "/values", "absmax", parts.absmax);
  file.attribute(group + "/values", "exponent", parts.exponent);
  file.attribute(group + "/values", "bin_width", parts.width);
  if (parts.with_tokens) {
    write_counts(file, parts, group + "/tokens", parts.tokens);
    file.attribute(group + "/tokens", "zeros", parts.tokens_zeros);
    file.attribute(group + "/tokens", "total", int64_t{3});
    file.attribute(group + "/tokens", "absmax", parts.tokens_absmax);
    file.attribute(group + "/tokens", "exponent", int64_t{1});
    file.attribute(group + "/tokens", "bin_width", std::ldexp(1.0, -10));
  }
  file.dataset(group + "/channel_absmax", parts.channels,
               {static_cast<int64_t>(parts.channels.size())});
  file.attribute(group, "output_absmax", parts.output);
  file.commit();
}

class StoreHostile : public ::testing::Test {
 protected:
  void refused(const std::string& what, const std::function<void(Parts&)>& spoil) {
    Parts parts;
    spoil(parts);
    write(parts, folder_ / "a.h5");
    try {
      load_calibration(folder_ / "a.h5");
      ADD_FAILURE() << "read a file with bad " << what;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr("a.h5")) << what;
      EXPECT_THAT(error.what(), ::testing::HasSubstr(what));
    }
  }
  reference::Folder folder_{"octet-hostile"};
};

TEST_F(StoreHostile, TheUnspoiledFileIsGood) {
  write(Parts(), folder_ / "a.h5");
  const CalibrationStore store = load_calibration(folder_ / "a.h5");
  EXPECT_EQ(store.sites.at("layers.0.fc").token_count(), 3);
}

TEST_F(StoreHostile, Header) {
  refused("format", [](Parts& p) { p.format = "something else"; });
  refused("a newer octet", [](Parts& p) { p.version = 2; });
  refused("version", [](Parts& p) { p.version = 0; });
  refused("provenance", [](Parts& p) { p.provenance = "[1]"; });
  refused("provenance", [](Parts& p) { p.provenance = "{"; });
  refused("shard 1 of 1", [](Parts& p) { p.shard = 1; });
  refused("shard 0 of 0", [](Parts& p) { p.shards = 0; });
  refused("unit", [](Parts& p) { p.units = {0, 0}; });
  refused("unit", [](Parts& p) { p.units = {-1}; });
  refused("unit", [](Parts& p) { p.units_total = -1; });
  refused("sites", [](Parts& p) { p.site_count = 2; });
}

TEST_F(StoreHostile, Histograms) {
  refused("negative", [](Parts& p) { p.values[512] = -3; });
  refused("negative", [](Parts& p) { p.values_zeros = -1; });
  refused("total 7", [](Parts& p) { p.values_total = 7; });
  refused("values of 3 tokens", [](Parts& p) { p.values_zeros = 2, p.values_total = 7; });
  refused("2^63",
          [](Parts& p) { p.values[512] = p.values[513] = std::numeric_limits<int64_t>::max(); });
  refused("one dimension", [](Parts& p) { p.shape = {1024, 2}; });
  refused("bins", [](Parts& p) { p.values.resize(100), p.tokens.resize(100), p.shape = {100}; });
  refused("dtype", [](Parts& p) { p.float_counts = true; });
  refused("tokens", [](Parts& p) { p.with_tokens = false; });
  refused("bin width", [](Parts& p) { p.exponent = 2; });
  refused("bin width", [](Parts& p) { p.width = 0; });
  refused("in use", [](Parts& p) { p.values[1500] = 1, p.values_zeros = 0; });
  refused("in use", [](Parts& p) { p.absmax = 1.875; });
}

TEST_F(StoreHostile, Maxima) {
  refused("absmax", [](Parts& p) { p.absmax = std::nan(""); });
  refused("absmax", [](Parts& p) { p.absmax = 1e300; });
  refused("absmax", [](Parts& p) { p.absmax = 1.0 + 1e-12; });
  refused("histogram maximum -1", [](Parts& p) { p.absmax = -1; });
  refused("maxima", [](Parts& p) { p.channels = {0.25f, 0.5f}; });
  refused("maxima", [](Parts& p) { p.tokens_absmax = 1.0 + std::ldexp(1.0, -20); });
  refused("channel maximum", [](Parts& p) { p.channels = {1.0f, -0.5f}; });
  refused("channel maximum", [](Parts& p) { p.channels = {1.0f, INFINITY}; });
  refused("values of 3 tokens", [](Parts& p) { p.channels = {1.0f}; });
  refused("output", [](Parts& p) { p.output = -2.5; });
  refused("output", [](Parts& p) { p.output = INFINITY; });
}

// No cut or flipped byte may crash; most are refused, the rest lie in unused space.
TEST_F(StoreHostile, CutAndFlippedBytes) {
  write(Parts(), folder_ / "good.h5");
  std::ifstream in(folder_ / "good.h5", std::ios::binary);
  const std::string good{std::istreambuf_iterator<char>(in), {}};
  const CalibrationStore expected = load_calibration(folder_ / "good.h5");
  int refusals = 0, tries = 0;
  const auto attempt = [&](const std::string& text) {
    std::ofstream(folder_ / "bad.h5", std::ios::binary) << text;
    ++tries;
    try {
      EXPECT_EQ(load_calibration(folder_ / "bad.h5"), expected);
    } catch (const Error&) {
      ++refusals;
    }
  };
  for (size_t cut = 0; cut < good.size(); cut += 997) attempt(good.substr(0, cut));
  EXPECT_EQ(refusals, tries);
  for (size_t at = 0; at < good.size(); at += 61) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x41);
    attempt(bad);
  }
  EXPECT_GT(refusals, tries / 2);
}

TEST_F(StoreHostile, NotHdf5) {
  std::ofstream(folder_ / "a.h5") << "hello";
  EXPECT_THROW(load_calibration(folder_ / "a.h5"), Error);
  EXPECT_THROW(load_calibration(folder_ / "absent.h5"), Error);
}

}  // namespace
}  // namespace octet
