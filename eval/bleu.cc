#include "eval/bleu.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <unordered_map>

#include "core/error.h"
#include "models/tokenizers/utf8.h"

namespace octet {
namespace {

constexpr size_t kOrders = 4;

using Counts = std::unordered_map<std::string_view, int64_t>;

bool digit(char c) {
  return c >= '0' && c <= '9';
}
bool stop(char c) {
  return c == '.' || c == ',';
}
// ASCII punctuation but . , - ' and also the space.
bool symbol(char c) {
  return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') ||
         (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// Left to right, where `match` takes two neighbours: `write` puts both, and neither is looked at
// again.
template <class Match, class Write>
std::string rewrite_pairs(const std::string& text, Match match, Write write) {
  std::string out;
  out.reserve(text.size() + text.size() / 2);
  for (size_t i = 0; i < text.size(); ++i) {
    if (i + 1 < text.size() && match(text[i], text[i + 1])) {
      write(out, text[i], text[i + 1]);
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

void apart(std::string& out, char a, char b) {
  out.append({a, ' ', b, ' '});
}

std::string split_symbols(std::string_view text) {
  std::string out;
  out.reserve(2 * text.size());
  for (const char c : text) {
    if (symbol(c)) {
      out.append({' ', c, ' '});
    } else {
      out += c;
    }
  }
  return out;
}

// n-grams of `line`, words joined by single spaces, as parts of it; returns the number of words.
int64_t count_ngrams(std::string_view line, Counts& counts) {
  const auto words = split_words(line);
  for (size_t n = 1; n <= kOrders; ++n) {
    for (size_t i = 0; i + n <= words.size(); ++i) {
      const char* end = words[i + n - 1].data() + words[i + n - 1].size();
      ++counts[{words[i].data(), static_cast<size_t>(end - words[i].data())}];
    }
  }
  return std::ssize(words);
}

std::string prepared(const std::string& text) {
  return tokenize_13a(strip_end(valid_utf8(text) ? text : lossy_utf8(text)));
}

int64_t closest(int64_t length, const std::vector<int64_t>& lengths) {
  return *std::min_element(lengths.begin(), lengths.end(), [&](int64_t a, int64_t b) {
    return std::pair(std::abs(a - length), a) < std::pair(std::abs(b - length), b);
  });
}

}  // namespace

std::string tokenize_13a(std::string_view text) {
  std::string line(text);
  replace_all(line, "<skipped>", "");
  replace_all(line, "-\n", "");
  std::replace(line.begin(), line.end(), '\n', ' ');
  for (const auto& [entity, sign] :
       {std::pair{"&quot;", "\""}, {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}}) {
    replace_all(line, entity, sign);
  }
  line = split_symbols(" " + line + " ");
  line = rewrite_pairs(
      line, [](char a, char b) { return !digit(a) && stop(b); }, apart);
  line = rewrite_pairs(
      line, [](char a, char b) { return stop(a) && !digit(b); },
      [](std::string& out, char a, char b) {
        out.append({' ', a, ' ', b});
      });
  line = rewrite_pairs(
      line, [](char a, char b) { return digit(a) && b == '-'; }, apart);
  std::string joined;
  for (const std::string_view word : split_words(line)) {
    if (!joined.empty()) joined += ' ';
    joined += word;
  }
  return joined;
}

void BleuStats::operator+=(const BleuStats& other) {
  hyp_length += other.hyp_length;
  ref_length += other.ref_length;
  for (size_t n = 0; n < kOrders; ++n) {
    correct[n] += other.correct[n];
    total[n] += other.total[n];
  }
}

BleuStats bleu_stats(const Segment& segment) {
  check_segment(segment);
  const std::string hypothesis = prepared(segment.hypothesis);
  std::vector<std::string> lines;
  for (const std::string& reference : segment.references) lines.push_back(prepared(reference));
  Counts allowed;
  std::vector<int64_t> lengths;
  for (const std::string& line : lines) {
    Counts counts;
    lengths.push_back(count_ngrams(line, counts));
    for (const auto& [ngram, count] : counts) {
      int64_t& most = allowed[ngram];
      most = std::max(most, count);
    }
  }
  Counts counts;
  BleuStats stats;
  stats.hyp_length = count_ngrams(hypothesis, counts);
  stats.ref_length = closest(stats.hyp_length, lengths);
  for (const auto& [ngram, count] : counts) {
    const auto n = static_cast<size_t>(std::count(ngram.begin(), ngram.end(), ' '));
    stats.total[n] += count;
    const auto found = allowed.find(ngram);
    if (found != allowed.end()) stats.correct[n] += std::min(count, found->second);
  }
  return stats;
}

namespace detail {

template <class T>
double bleu_from_sums(const std::array<T, 10>& sums, bool effective_order,
                      std::array<T, 4>& precisions, double& brevity_penalty) {
  const double hyp = sums[0], ref = sums[1];
  brevity_penalty = hyp >= ref ? 1 : hyp > 0 ? std::exp(1 - ref / hyp) : 0;
  precisions = {};
  const T* correct = sums.data() + 2;
  const T* total = correct + kOrders;
  if (std::all_of(correct, total, [](T count) { return count == 0; })) return 0;
  T smooth = 1;
  size_t order = kOrders;
  for (size_t n = 0; n < kOrders && total[n] > 0; ++n) {
    if (effective_order) order = n + 1;
    if (correct[n] == 0) smooth *= 2;
    precisions[n] = correct[n] == 0 ? 100 / (smooth * total[n]) : 100 * correct[n] / total[n];
  }
  double logs = 0;
  for (size_t n = 0; n < order; ++n)
    logs += precisions[n] == 0 ? -9999999999.0 : std::log(static_cast<double>(precisions[n]));
  return brevity_penalty * std::exp(logs / static_cast<double>(order));
}

template double bleu_from_sums<double>(const std::array<double, 10>&, bool, std::array<double, 4>&,
                                       double&);
template double bleu_from_sums<float>(const std::array<float, 10>&, bool, std::array<float, 4>&,
                                      double&);

std::string signature_head(int64_t references, int64_t resamples, uint64_t seed) {
  const std::string bootstrap =
      resamples > 0 ? fmt::format("|bs:{}|seed:{}", resamples, seed) : std::string();
  return fmt::format("nrefs:{}{}", references, bootstrap);
}

}  // namespace detail

BleuScore bleu_of(const BleuStats& stats, bool effective_order) {
  std::array<double, 10> sums{};
  sums[0] = static_cast<double>(stats.hyp_length);
  sums[1] = static_cast<double>(stats.ref_length);
  for (size_t n = 0; n < kOrders; ++n) {
    sums[2 + n] = static_cast<double>(stats.correct[n]);
    sums[2 + kOrders + n] = static_cast<double>(stats.total[n]);
  }
  BleuScore bleu;
  bleu.score = detail::bleu_from_sums(sums, effective_order, bleu.precisions, bleu.brevity_penalty);
  bleu.ratio = stats.ref_length > 0 ? sums[0] / sums[1] : 0;
  bleu.stats = stats;
  return bleu;
}

std::string BleuScore::text() const {
  return fmt::format(
      "{:.2f} {:.1f}/{:.1f}/{:.1f}/{:.1f} (BP = {:.3f} ratio = {:.3f} hyp_len = {} "
      "ref_len = {})",
      score, precisions[0], precisions[1], precisions[2], precisions[3], brevity_penalty, ratio,
      stats.hyp_length, stats.ref_length);
}

BleuScore corpus_bleu(std::span<const Segment> segments) {
  if (segments.empty())
    throw Error("no sentences to score", "at least one", "give data with sentences in it");
  BleuStats sum;
  for (const Segment& segment : segments) sum += bleu_stats(segment);
  return bleu_of(sum);
}

BleuScore sentence_bleu(const Segment& segment) {
  return bleu_of(bleu_stats(segment), true);
}

std::string bleu_signature(int64_t references, bool effective_order, int64_t resamples,
                           uint64_t seed) {
  return fmt::format("{}|case:mixed|eff:{}|tok:13a|smooth:exp|version:2.6.0",
                     detail::signature_head(references, resamples, seed),
                     effective_order ? "yes" : "no");
}

}  // namespace octet
