// Steps of a decoder: every CPU level against naive versions.
#include "kernels/cpu/attention/decoding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "kernels/cpu/rows/quantize.h"
#include "tests/kernels/levels.h"
#include "tests/kernels/reference.h"

namespace octet::cpu {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

std::vector<float> normals(int64_t count, uint64_t seed) {
  const Random random(seed, "decoding_test");
  std::vector<float> x(count);
  for (int64_t i = 0; i < count; ++i) x[i] = static_cast<float>(random.normal(i));
  return x;
}

class Decoding : public LevelTest {};
INSTANTIATE_TEST_SUITE_P(Every, Decoding, every_level(), level_name);

struct Attention {
  int64_t rows = 6, queries, heads = 3, dim, slots = 40, columns = 20;
  std::vector<float> q, kv;
  std::vector<int32_t> places, counts;
  bool causal;

  Attention(int64_t queries, int64_t dim, bool causal)
      : queries(queries), dim(dim), causal(causal) {
    const int64_t width = heads * dim;
    q = normals(rows * queries * 3 * width, 1);
    kv = normals(slots * 2 * width, 2);
    const Random random(3, "places");
    for (int64_t i = 0; i < rows * columns; ++i) {
      places.push_back(static_cast<int32_t>(random.below(i, slots)));
    }
    for (int64_t r = 0; r < rows; ++r) counts.push_back(static_cast<int32_t>(1 + 3 * r));
  }
  GatheredAttention call() const {
    const int64_t width = heads * dim;
    return {q.data(),  3 * width,     kv.data(), kv.data() + width,
            2 * width, places.data(), columns,   counts.data(),
            causal,    rows,          queries,   heads,
            dim};
  }
  double expected(int64_t row, int64_t query, int64_t head, int64_t d) const {
    const GatheredAttention c = call();
    const int64_t count = counts[row] + (causal ? query : 0);
    std::vector<double> weight;
    for (int64_t t = 0; t < count; ++t) {
      double sum = 0;
      for (int64_t i = 0; i < dim; ++i) {
        sum += double{c.q[(row * queries + query) * c.q_stride + head * dim + i]} *
               c.k[places[row * columns + t] * c.stride + head * dim + i];
      }
      weight.push_back(std::exp(sum / std::sqrt(static_cast<double>(dim))));
    }
    double y = 0;
    for (int64_t t = 0; t < count; ++t) {
      y += weight[t] * c.v[places[row * columns + t] * c.stride + head * dim + d];
    }
    return y / std::accumulate(weight.begin(), weight.end(), 0.0);
  }
};

TEST_P(Decoding, AttentionOverPlaces) {
  for (const int64_t dim : {1, 8, 20, 32, 64}) {
    for (const int64_t queries : {1, 3}) {
      for (const bool causal : {false, true}) {
        const Attention a(queries, dim, causal);
        const int64_t width = a.heads * dim;
        std::vector<float> y(a.rows * queries * width);
        gathered_attention(a.call(), y.data(), GetParam());
        for (int64_t i = 0; i < std::ssize(y); ++i) {
          const int64_t row = i / width / queries, query = i / width % queries;
          ASSERT_NEAR(y[i], a.expected(row, query, i % width / dim, i % dim), 2e-5)
              << dim << " " << queries << " " << causal << " " << i;
        }
      }
    }
  }
}

TEST_P(Decoding, NoKeysGiveZeros) {
  Attention a(1, 32, false);
  std::fill(a.counts.begin(), a.counts.end(), 0);
  std::vector<float> y(a.rows * 96, 7.0F);
  gathered_attention(a.call(), y.data(), GetParam());
  for (const float v : y) ASSERT_EQ(v, 0.0F);
}

struct Best {
  double score;
  int64_t id;
};

std::vector<Best> expected_top(const std::vector<float>& row, const std::vector<int64_t>& forbidden,
                               bool renormalize, int64_t top) {
  const auto banned = [&](int64_t id) {
    return std::find(forbidden.begin(), forbidden.end(), id) != forbidden.end();
  };
  double sum = 0;
  for (int64_t id = 0; id < std::ssize(row); ++id) {
    if (!renormalize || !banned(id)) sum += std::exp(double{row[id]});
  }
  std::vector<Best> all;
  for (int64_t id = 0; id < std::ssize(row); ++id) {
    if (!banned(id)) all.push_back({row[id] - std::log(sum), id});
  }
  std::stable_sort(all.begin(), all.end(), [](auto& a, auto& b) { return a.score > b.score; });
  all.resize(std::min<size_t>(all.size(), top));
  return all;
}

TEST_P(Decoding, BestContinuations) {
  for (const int64_t vocab : {8, 63, 64, 65, 200, 1000, 6000}) {
    for (const bool renormalize : {false, true}) {
      std::vector<float> logits = normals(3 * vocab, vocab);
      for (float& x : logits) x = std::round(x * 32) / 8;  // many ties
      const std::vector<int64_t> forbidden = {vocab - 1, 3};
      const int64_t top = std::min<int64_t>(8, vocab - 2);
      std::vector<float> given = logits, scores(3 * top);
      std::vector<int64_t> ids(3 * top);
      top_log_probabilities({given.data(), 3, vocab, forbidden.data(), 2, renormalize, top},
                            scores.data(), ids.data(), GetParam());
      for (int64_t r = 0; r < 3; ++r) {
        const auto expected =
            expected_top({logits.begin() + r * vocab, logits.begin() + (r + 1) * vocab}, forbidden,
                         renormalize, top);
        for (int64_t i = 0; i < top; ++i) {
          ASSERT_EQ(ids[r * top + i], expected[i].id) << vocab << " " << r << " " << i;
          ASSERT_NEAR(scores[r * top + i], expected[i].score, 1e-5);
        }
      }
    }
  }
}

TEST_P(Decoding, DamagedLogitsGiveNoCrash) {
  std::vector<float> logits(200, std::numeric_limits<float>::quiet_NaN()), scores(4);
  std::vector<int64_t> ids(4, -1);
  top_log_probabilities({logits.data(), 1, 200, nullptr, 0, false, 4}, scores.data(), ids.data(),
                        GetParam());
  for (const int64_t id : ids) EXPECT_TRUE(id >= 0 && id < 200);
  for (const float score : scores) EXPECT_EQ(score, -kInf);
}

TEST(DecoderRows, LayerNormOfASum) {
  for (const int64_t k : {1, 15, 16, 17, 256, 300}) {
    const auto x = normals(5 * k, k), delta = normals(5 * k, k + 1), weight = normals(k, 3),
               bias = normals(k, 4);
    std::vector<float> y(5 * k), both(5 * k), scale(5);
    std::vector<int8_t> q(5 * k), expected(5 * k);
    layer_norm(x.data(), delta.data(), weight.data(), bias.data(), 1e-5F, 5, k, y.data());
    for (int64_t r = 0; r < 5; ++r) {
      double mean = 0, square = 0;
      for (int64_t j = 0; j < k; ++j) mean += double{x[r * k + j]} + delta[r * k + j];
      mean /= static_cast<double>(k);
      const auto centered = [&](int64_t j) {
        return double{x[r * k + j]} + delta[r * k + j] - mean;
      };
      for (int64_t j = 0; j < k; ++j) square += centered(j) * centered(j);
      const double inverse = 1 / std::sqrt(square / static_cast<double>(k) + 1e-5);
      for (int64_t j = 0; j < k; ++j) {
        ASSERT_NEAR(y[r * k + j], centered(j) * inverse * weight[j] + bias[j], 2e-5) << k;
      }
    }
    layer_norm_quantize_rows(x.data(), delta.data(), weight.data(), bias.data(), 1e-5F, 5, k,
                             both.data(), q.data(), scale.data());
    EXPECT_EQ(both, y);
    std::vector<float> alone(5);
    quantize_rows(y.data(), 5, k, expected.data(), alone.data());
    EXPECT_EQ(q, expected);
    EXPECT_EQ(scale, alone);
    layer_norm_quantize_tensor(x.data(), delta.data(), weight.data(), bias.data(), 1e-5F, 5, k,
                               0.02F, both.data(), q.data());
    quantize_tensor(y.data(), 5 * k, 0.02F, expected.data());
    EXPECT_EQ(q, expected);
    std::vector<float> in_place = x;
    layer_norm(in_place.data(), delta.data(), weight.data(), bias.data(), 1e-5F, 5, k,
               in_place.data());
    EXPECT_EQ(in_place, y);
  }
}

TEST(DecoderRows, Activations) {
  const auto x = normals(3 * 70, 9);
  for (const auto kind : {RowActivation::kRelu, RowActivation::kSilu}) {
    std::vector<float> y(x.size()), scale(3), alone(3);
    std::vector<int8_t> q(x.size()), expected(x.size());
    activate_rows(kind, x.data(), 3, 70, y.data());
    for (size_t i = 0; i < x.size(); ++i) {
      const double v = x[i];
      ASSERT_NEAR(y[i], kind == RowActivation::kRelu ? std::max(v, 0.0) : v / (1 + std::exp(-v)),
                  1e-6);
    }
    activate_quantize_rows(kind, x.data(), 3, 70, q.data(), scale.data());
    quantize_rows(y.data(), 3, 70, expected.data(), alone.data());
    EXPECT_EQ(q, expected);
    EXPECT_EQ(scale, alone);
    activate_quantize_tensor(kind, x.data(), 3, 70, 0.02F, q.data());
    quantize_tensor(y.data(), 3 * 70, 0.02F, expected.data());
    EXPECT_EQ(q, expected);
  }
}

}  // namespace
}  // namespace octet::cpu
