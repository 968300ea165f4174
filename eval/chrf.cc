#include "eval/chrf.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "core/error.h"
#include "eval/bleu.h"
#include "models/tokenizers/utf8.h"

namespace octet {
namespace {

constexpr size_t kOrders = 6;
constexpr int kBeta = 2;

using Counts = std::array<std::unordered_map<std::string_view, int64_t>, kOrders>;

std::string without_spaces(const std::string& text) {
  const std::string lossy = valid_utf8(text) ? std::string() : lossy_utf8(text);
  std::string out;
  for (const std::string_view word : split_words(lossy.empty() ? text : lossy)) out += word;
  return out;
}

Counts count_ngrams(std::string_view line) {
  std::vector<size_t> places;  // of each character, and the end
  for (size_t position = 0; position < line.size(); next_code_point(line, position))
    places.push_back(position);
  places.push_back(line.size());
  Counts counts;
  for (size_t n = 1; n <= kOrders; ++n) {
    for (size_t i = 0; i + n < places.size(); ++i)
      ++counts[n - 1][line.substr(places[i], places[i + n] - places[i])];
  }
  return counts;
}

ChrfStats::Order compare(const std::unordered_map<std::string_view, int64_t>& hypothesis,
                         const std::unordered_map<std::string_view, int64_t>& reference) {
  ChrfStats::Order order;
  for (const auto& [ngram, count] : reference) order.reference += count;
  if (reference.empty()) return order;
  for (const auto& [ngram, count] : hypothesis) {
    order.hypothesis += count;
    const auto found = reference.find(ngram);
    if (found != reference.end()) order.match += std::min(count, found->second);
  }
  return order;
}

}  // namespace

void ChrfStats::operator+=(const ChrfStats& other) {
  for (size_t n = 0; n < kOrders; ++n) {
    orders[n].hypothesis += other.orders[n].hypothesis;
    orders[n].reference += other.orders[n].reference;
    orders[n].match += other.orders[n].match;
  }
}

ChrfStats chrf_stats(const Segment& segment) {
  check_segment(segment);
  const std::string hypothesis = without_spaces(segment.hypothesis);
  const Counts counts = count_ngrams(hypothesis);
  ChrfStats best;
  double most = -1;
  for (const std::string& text : segment.references) {
    const std::string reference = without_spaces(text);
    const Counts wanted = count_ngrams(reference);
    ChrfStats stats;
    for (size_t n = 0; n < kOrders; ++n) stats.orders[n] = compare(counts[n], wanted[n]);
    const double score = chrf_of(stats);
    if (score <= most) continue;
    most = score;
    best = stats;
  }
  return best;
}

namespace detail {

template <class T>
T chrf_from_sums(const std::array<T, 18>& sums) {
  T precision = 0, recall = 0, orders = 0;
  for (size_t n = 0; n < kOrders; ++n) {
    const T hypothesis = sums[3 * n], reference = sums[3 * n + 1], match = sums[3 * n + 2];
    if (!(hypothesis > 0 && reference > 0)) continue;
    precision += match / hypothesis;
    recall += match / reference;
    orders += 1;
  }
  if (orders == 0) return 0;
  precision /= orders;
  recall /= orders;
  if (precision + recall == 0) return 0;
  constexpr T kFactor = kBeta * kBeta;
  return 100 * ((1 + kFactor) * precision * recall / (kFactor * precision + recall));
}

template double chrf_from_sums<double>(const std::array<double, 18>&);
template float chrf_from_sums<float>(const std::array<float, 18>&);

}  // namespace detail

double chrf_of(const ChrfStats& stats) {
  std::array<double, 18> sums{};
  for (size_t n = 0; n < kOrders; ++n) {
    sums[3 * n] = static_cast<double>(stats.orders[n].hypothesis);
    sums[3 * n + 1] = static_cast<double>(stats.orders[n].reference);
    sums[3 * n + 2] = static_cast<double>(stats.orders[n].match);
  }
  return detail::chrf_from_sums(sums);
}

double corpus_chrf(std::span<const Segment> segments) {
  if (segments.empty())
    throw Error("no sentences to score", "at least one", "give data with sentences in it");
  ChrfStats sum;
  for (const Segment& segment : segments) sum += chrf_stats(segment);
  return chrf_of(sum);
}

double sentence_chrf(const Segment& segment) {
  return chrf_of(chrf_stats(segment));
}

std::string chrf_signature(int64_t references, int64_t resamples, uint64_t seed) {
  return fmt::format("{}|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0",
                     detail::signature_head(references, resamples, seed));
}

}  // namespace octet
