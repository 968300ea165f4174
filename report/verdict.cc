#include "report/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/figures.h"

namespace octet {
namespace {

constexpr double kLeastNoise = 0.02;  // of a latency; also covers the size of what is equal

struct Candidate {
  const VariantResult* variant = nullptr;
  std::optional<QualityChange> change;
  std::optional<double> divergence;
  std::optional<double> bytes, ms;
  double noise = kLeastNoise;
  bool measured = false, acceptable = false, baseline = false;
};

bool holds(const Candidate& c, bool language) {
  const bool close = c.divergence && *c.divergence <= kDivergenceLimit;
  if (!c.change) return false;
  if (c.change->significance == Significance::kNoise && close) return true;
  if (language) return close && c.change->loss() <= kPerplexityLimit;
  if (c.change->measure == "perplexity") return close && c.change->loss() <= kPerplexityLimit;
  return c.change->worst() < kScoreLimit;
}

Candidate candidate(const Report& report, const VariantResult& v) {
  Candidate c;
  c.variant = &v;
  c.baseline = is_baseline(report, v) || v.name == report.reference;
  c.change = quality_change(report, v);
  if (v.quality && std::isfinite(v.quality->kl_mean)) c.divergence = v.quality->kl_mean;
  if (v.bytes_on_disk) c.bytes = static_cast<double>(*v.bytes_on_disk);
  if (const auto cost = cost_of(v)) {
    c.ms = cost->ms;
    c.noise = std::max(kLeastNoise, cost->noise);
  }
  c.measured = c.change.has_value();
  c.acceptable = c.baseline || holds(c, report.task == TaskKind::kLanguage);
  return c;
}

// Which of size and latency every acceptable variant has.
struct Measures {
  bool bytes = true, ms = true;
};

Measures measures_of(const std::vector<Candidate>& all) {
  Measures out;
  for (const Candidate& c : all) {
    if (!c.acceptable || c.baseline) continue;
    out.bytes = out.bytes && c.bytes;
    out.ms = out.ms && c.ms;
  }
  return out;
}

double product(const Candidate& c, Measures m) {
  return (m.bytes ? *c.bytes : 1) * (m.ms ? *c.ms : 1);
}

bool rankable(const Candidate& c, Measures m) {
  return c.acceptable && (m.bytes || m.ms) && (!m.bytes || c.bytes) && (!m.ms || c.ms);
}

// Loss by the finest measure that both have.
bool loses_less(const Candidate& a, const Candidate& b) {
  if (a.divergence && b.divergence) return *a.divergence < *b.divergence;
  const double mine = a.change ? a.change->loss() : 0, theirs = b.change ? b.change->loss() : 0;
  return mine < theirs;
}

const Candidate* choose(const std::vector<Candidate>& all, Measures m) {
  const Candidate* best = nullptr;
  for (const Candidate& c : all) {
    if (rankable(c, m) && (best == nullptr || product(c, m) < product(*best, m))) best = &c;
  }
  if (best == nullptr) return nullptr;
  const Candidate* chosen = best;
  for (const Candidate& c : all) {
    if (!rankable(c, m)) continue;
    const double noise = std::hypot(c.noise, best->noise);
    if (product(c, m) <= product(*best, m) * (1 + noise) && loses_less(c, *chosen)) chosen = &c;
  }
  return chosen;
}

// "3.9x smaller and 1.2x slower than NAME"; empty when neither is known or differs.
std::string against(const Candidate& a, const Candidate& b) {
  std::vector<std::string> parts;
  if (a.bytes && b.bytes && *a.bytes > 0 && *b.bytes > 0) {
    const double ratio = *b.bytes / *a.bytes;
    if (ratio >= 1.01) parts.push_back(fmt::format("{:.2f}x smaller", ratio));
    if (ratio <= 0.99) parts.push_back(fmt::format("{:.2f}x larger", 1 / ratio));
  }
  if (a.ms && b.ms && *a.ms > 0 && *b.ms > 0) {
    const double ratio = *b.ms / *a.ms, noise = std::hypot(a.noise, b.noise);
    if (ratio > 1 + noise) parts.push_back(fmt::format("{:.2f}x faster", ratio));
    if (1 / ratio > 1 + noise) parts.push_back(fmt::format("{:.2f}x slower", 1 / ratio));
  }
  if (parts.empty()) return {};
  return parts[0] + (parts.size() > 1 ? " and " + parts[1] : "");
}

std::string limit_of(const QualityChange& change) {
  if (change.measure == "perplexity") {
    return fmt::format("{:.0f} % perplexity, {} nats KL", kPerplexityLimit, kDivergenceLimit);
  }
  return fmt::format("{} {}", kScoreLimit, change.unit.empty() ? change.measure : change.unit);
}

std::string divergence_text(const Candidate& c) {
  return c.divergence ? fmt::format(", KL {} nats", brief(*c.divergence)) : std::string();
}

std::string why_refused(const Candidate& c) {
  if (!c.measured) return "Its quality was not measured.";
  const std::string figures = to_string(*c.change) + divergence_text(c);
  switch (c.change->significance) {
    case Significance::kLoss:
      return fmt::format("Loses too much: {}; the loss is real and {} the limit ({}).", figures,
                         c.change->measure != "perplexity" && c.change->loss() < kScoreLimit
                             ? "may exceed"
                             : "exceeds",
                         limit_of(*c.change));
    case Significance::kNoise:
      return fmt::format(
          "Not shown to be safe: {}; that may be noise, but may also exceed the limit ({}). A "
          "larger test set would tell.",
          figures, limit_of(*c.change));
    default:
      return fmt::format("Outside the limit ({}): {}.", limit_of(*c.change), figures);
  }
}

std::string why_not(const Candidate& c, const Candidate* chosen, Measures m) {
  if (!c.acceptable) return why_refused(c);
  if (chosen == nullptr || !rankable(c, m)) return "Its size or latency was not measured.";
  const std::string& winner = chosen->variant->name;
  const std::string cost = against(c, *chosen);
  if (cost.empty()) return fmt::format("Costs as much as {}, which loses less.", winner);
  const bool worse = product(c, m) > product(*chosen, m);
  if (worse) return fmt::format("{} than {}.", cost, winner);
  return fmt::format("{} than {}, but within timing noise, and it loses more.", cost, winner);
}

void set_headline(Verdict& out, const std::vector<Candidate>& all, const Candidate* chosen,
                  const std::string& reference) {
  if (chosen == nullptr) {
    out.headline = "No recommendation";
    out.detail = "No variant whose quality holds was measured.";
    return;
  }
  const std::string& name = chosen->variant->name;
  out.headline = fmt::format("{} {}", chosen->baseline ? "Keep" : "Take", name);
  if (chosen->baseline) {
    const bool any = std::any_of(all.begin(), all.end(),
                                 [](const Candidate& c) { return c.acceptable && !c.baseline; });
    out.detail = any ? "What holds its quality costs more size x latency."
                     : "No quantized variant holds its quality.";
    return;
  }
  for (const Candidate& c : all) {
    if (c.variant->name != reference) continue;
    const std::string cost = against(*chosen, c);
    out.detail = cost.empty() ? fmt::format("It costs what {} costs", reference)
                              : fmt::format("{} than {}", cost, reference);
  }
  if (!chosen->change) return;
  if (!out.detail.empty()) out.detail += "; ";
  out.detail += fmt::format("{}: {}.", to_string(*chosen->change),
                            chosen->change->significance == Significance::kNoise
                                ? "the difference is noise"
                                : to_string(chosen->change->significance));
}

std::string rule_text(const Report& report, Measures m) {
  std::string limit;
  const bool scored = std::any_of(report.variants.begin(), report.variants.end(),
                                  [](const VariantResult& v) { return !v.scores.empty(); });
  if (scored) {
    const std::string metric = report.task == TaskKind::kVision ? "points of accuracy" : "BLEU";
    limit = fmt::format("the 95 % interval of its change stays above -{} {}", kScoreLimit, metric);
  } else {
    limit = fmt::format("perplexity rises by at most {:.0f} % and the mean KL is at most {} nats",
                        kPerplexityLimit, kDivergenceLimit);
  }
  const std::string cost = m.bytes && m.ms ? "size x latency" : m.bytes ? "size" : "latency";
  return fmt::format(
      "Quality holds where {}, or where the change is noise (its interval holds 0, or p is at "
      "least 0.05) and the mean KL is at most {} nats. Of what holds, the smallest {} wins; where "
      "timing noise cannot separate two, the one that loses less. Latency: {}.",
      limit, kDivergenceLimit, cost,
      report.task == TaskKind::kLanguage ? "p50 of decoding one token"
                                         : fmt::format("p50 of one {} alone", item_of(report)));
}

}  // namespace

Verdict verdict(const Report& report) {
  check_report(report);
  std::vector<Candidate> all;
  for (const VariantResult& v : report.variants) all.push_back(candidate(report, v));
  const Measures m = measures_of(all);
  const Candidate* chosen = choose(all, m);
  Verdict out;
  if (chosen != nullptr) out.recommended = chosen->variant->name;
  set_headline(out, all, chosen, report.reference);
  out.rule = rule_text(report, m);
  for (const Candidate& c : all) {
    VariantVerdict v{c.variant->name, &c == chosen, c.acceptable, {}};
    v.why = v.recommended ? fmt::format("The smallest {} of what holds its quality.",
                                        m.bytes && m.ms ? "size x latency"
                                        : m.bytes       ? "size"
                                                        : "latency")
                          : why_not(c, chosen, m);
    out.variants.push_back(std::move(v));
  }
  return out;
}

}  // namespace octet
