#include "calib/range.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "core/error.h"
#include "tests/calib/reference.h"
#include "tests/cpu_time.h"
#include "tests/environment.h"

namespace octet {
namespace {

Histogram of(const std::vector<float>& x) {
  Histogram made;
  made.add(x.data(), static_cast<int64_t>(x.size()));
  return made;
}

TEST(Range, ZeroHistogram) {
  for (const auto method :
       {RangeMethod::kAbsmax, RangeMethod::kPercentile, RangeMethod::kMse, RangeMethod::kEntropy}) {
    EXPECT_EQ(find_range(Histogram(), method), 0);
    EXPECT_EQ(find_range(of({0.0f, 0.0f}), method), 0);
    EXPECT_FLOAT_EQ(find_range(of({0.0f, -1e-40f}), method), 1e-40f);
  }
}

TEST(Range, Percentile) {
  std::vector<float> x;
  for (int i = 1; i <= 1000; ++i) x.push_back(static_cast<float>(i));  // bins of width 0.5
  const Histogram histogram = of(x);
  EXPECT_EQ(find_range(histogram, RangeMethod::kPercentile, 100), 1000);
  EXPECT_EQ(find_range(histogram, RangeMethod::kPercentile, 99), 990.5);
  EXPECT_EQ(find_range(histogram, RangeMethod::kPercentile, 50), 500.5);
  EXPECT_EQ(find_range(histogram, RangeMethod::kPercentile, 0.001), 1.5);
  EXPECT_EQ(find_range(histogram, RangeMethod::kAbsmax), 1000);
}

TEST(Range, PercentileHoldsAtLeastThatShare) {
  const auto x = reference::values(1, 30000, 50);
  for (const double percentile : {10.0, 90.0, 99.0, 99.9, 99.99}) {
    const double range = find_range(of(x), RangeMethod::kPercentile, percentile);
    const double width = of(x).width();
    const auto within = [&x](double limit) {
      return std::count_if(x.begin(), x.end(), [limit](float v) { return std::abs(v) <= limit; });
    };
    EXPECT_GE(static_cast<double>(within(range)), percentile * 300);
    EXPECT_LT(static_cast<double>(within(range - 1.001 * width)), percentile * 300);
  }
}

TEST(Range, PercentileOfZerosIsNotZero) {
  std::vector<float> x(100000, 0.0f);
  x[5] = 0.25f;
  x[6] = 1.0f;
  EXPECT_NEAR(find_range(of(x), RangeMethod::kPercentile, 99), 0.25, 0.001);
}

TEST(Range, PercentileIsChecked) {
  for (const double bad : {0.0, -1.0, 100.5, std::nan("")}) {
    EXPECT_THROW(find_range(of({1.0f}), RangeMethod::kPercentile, bad), UsageError);
  }
}

TEST(Range, MseEqualsBruteForce) {
  int clipped = 0;
  for (uint64_t seed = 0; seed < 12; ++seed) {
    const double spread = std::pow(10.0, static_cast<double>(seed) / 3 - 2);
    const Histogram histogram = of(reference::values(seed, 20000 + 100 * seed, spread));
    const double made = find_range(histogram, RangeMethod::kMse);
    const double naive = reference::mse_range(histogram);
    // Equal but for ties within rounding.
    if (made != naive) {
      EXPECT_NEAR(
          reference::squared_error(histogram, made) / reference::squared_error(histogram, naive), 1,
          1e-10);
    }
    clipped += made < histogram.absmax();
  }
  EXPECT_GT(clipped, 3);
}

TEST(Range, MseClipsLoneOutliersOfManyValues) {
  auto x = reference::values(7, 2000000);
  x[3] = 5.0f;
  const Histogram histogram = of(x);
  const double range = find_range(histogram, RangeMethod::kMse);
  EXPECT_LT(range, 3);
  EXPECT_GT(range, 1);
  EXPECT_EQ(range, reference::mse_range(histogram));
}

TEST(Range, MseKeepsAbsmaxWhereThatIsBest) {
  // Two values only, both on levels of absmax / 127 and none of a smaller range.
  std::vector<float> x(1000, 127.0f);
  x.resize(1500, 1.0f);
  EXPECT_EQ(find_range(of(x), RangeMethod::kMse), reference::mse_range(of(x)));
  EXPECT_GT(find_range(of(x), RangeMethod::kMse), 126.9);
}

// Searches go through sums of whole levels, not through all bins for each range that they try, as
// the definition does.
TEST(Range, SearchesCostFarLessThanTheDefinition) {
  const Histogram histogram = of(reference::values(3, 100000, 4));
  double sum = 0;  // so that the compiler computes it
  const double defined = test::cpu_seconds([&] { sum += reference::mse_range(histogram); });
  EXPECT_GT(sum, 0);
  for (const auto method : {RangeMethod::kMse, RangeMethod::kEntropy}) {
    const double took = test::cpu_seconds([&] { find_range(histogram, method); });
    std::printf("%s: %.4f CPU s, the definition of mse %.4f\n", name(method), took, defined);
    EXPECT_LT(took, defined / 2) << name(method);
  }
}

TEST(Range, Names) {
  for (const auto method :
       {RangeMethod::kAbsmax, RangeMethod::kPercentile, RangeMethod::kMse, RangeMethod::kEntropy}) {
    EXPECT_EQ(parse_range_method(name(method)), method);
  }
  EXPECT_THROW(parse_range_method("kl"), UsageError);
  EXPECT_THROW(parse_range_method(""), UsageError);
}

// Writes a histogram and our answers for range_oracle.py.
void write_case(std::ofstream& out, const Histogram& histogram) {
  out << fmt::format(R"({{"width": {:.17g}, "absmax": {:.17g}, "zeros": {}, "used": {}, )",
                     histogram.width(), histogram.absmax(), histogram.zeros(), histogram.used());
  out << fmt::format(R"("entropy": {:.17g}, "mse": {:.17g}, "percentile": {:.17g}, "counts": [)",
                     find_range(histogram, RangeMethod::kEntropy),
                     find_range(histogram, RangeMethod::kMse),
                     find_range(histogram, RangeMethod::kPercentile, 99.9));
  for (int j = 0; j < Histogram::kBins; ++j) out << (j ? "," : "") << histogram.count(j);
  out << "]}\n";
}

TEST(RangeOracle, AgreesWithThePublishedAlgorithms) {
  const reference::Folder folder("octet-range");
  const auto path = folder / "cases.jsonl";
  std::ofstream out(path);
  for (uint64_t seed = 0; seed < 4; ++seed) {
    write_case(out, of(reference::values(seed, 3000 * (seed + 1), std::pow(7.0, seed))));
  }
  auto spiky = reference::values(9, 40000);
  spiky[17] = 9.5f;
  spiky[18] = -4.0f;
  write_case(out, of(spiky));
  write_case(out, of({0.5f, 0.25f, 1.0f}));
  out.close();
  const std::string command = fmt::format("{} {}/tests/calib/range_oracle.py {}",
                                          test::python_binary(), test::source_dir(), path.string());
  EXPECT_EQ(std::system(command.c_str()), 0);
}

}  // namespace
}  // namespace octet
