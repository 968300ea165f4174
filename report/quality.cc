#include "report/quality.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "report/figures.h"

namespace octet {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kLevel = 0.05;

Significance significance_of(const QualityChange& c) {
  if (!std::isfinite(c.change)) return Significance::kUnknown;
  const bool interval = std::isfinite(c.low) && std::isfinite(c.high);
  if (!interval && !std::isfinite(c.p)) return Significance::kUnknown;
  if (interval && c.low <= 0 && c.high >= 0) return Significance::kNoise;
  if (std::isfinite(c.p) && c.p >= kLevel) return Significance::kNoise;
  return c.loss() > 0 ? Significance::kLoss : Significance::kGain;
}

QualityChange score_change(const TaskScore& s) {
  const char* unit = s.metric == "accuracy" ? "points" : "";
  return {s.metric, unit, s.delta, s.delta_low, s.delta_high, s.p_value, true, {}};
}

QualityChange perplexity_change(const Comparison& q) {
  const auto percent = [](double ln_ratio) { return 100 * std::expm1(ln_ratio); };
  const double low = percent(q.ln_ratio_low), high = percent(q.ln_ratio_high);
  return {"perplexity", "%", percent(q.ln_ratio), low, high, kNaN, false, {}};
}

std::string digits_of(const QualityChange& c, double value) {
  return fmt::format("{:+.2f}{}", value, c.unit == "%" ? " %" : "");
}

Recovery recovery(const VariantResult& tuned, const VariantResult& start) {
  Recovery out;
  out.variant = tuned.name, out.from = start.name;
  return out;
}

void set_percent(Recovery& r, bool significant, const std::string& noise) {
  if (!significant) {
    r.line = fmt::format("{}: nothing to recover, the loss of {} ({}) is noise", r.measure, r.from,
                         noise);
    return;
  }
  r.percent = 100 * (r.before - r.after) / r.before;
  r.line =
      *r.percent >= 0
          ? fmt::format("{}: {:.0f} % of the loss of {} recovered", r.measure, *r.percent, r.from)
          : fmt::format("{}: {:.0f} % more loss than {}", r.measure, -*r.percent, r.from);
}

std::optional<Recovery> primary_recovery(const Report& report, const VariantResult& tuned,
                                         const VariantResult& start) {
  const auto after = quality_change(report, tuned), before = quality_change(report, start);
  if (!after || !before || after->measure != before->measure) return {};
  Recovery r = recovery(tuned, start);
  r.measure = before->measure, r.unit = before->unit;
  r.before = before->loss(), r.after = after->loss();
  if (before->significance == Significance::kUnknown) {
    r.line = fmt::format("{}: not known whether {} lost any", r.measure, r.from);
  } else if (before->significance == Significance::kGain) {
    r.line = fmt::format("{}: nothing to recover, {} lost none", r.measure, r.from);
  } else {
    set_percent(r, before->significance == Significance::kLoss, digits_of(*before, before->change));
  }
  return r;
}

std::optional<Recovery> divergence_recovery(const VariantResult& tuned,
                                            const VariantResult& start) {
  if (!tuned.quality || !start.quality) return {};
  const Comparison &after = *tuned.quality, &before = *start.quality;
  if (!std::isfinite(after.kl_mean) || !std::isfinite(before.kl_mean)) return {};
  Recovery r = recovery(tuned, start);
  r.measure = "KL", r.unit = "nats";
  r.before = before.kl_mean, r.after = after.kl_mean;
  if (!std::isfinite(before.kl_mean_se)) {
    r.line = fmt::format("KL: {} to {} nats, without an interval", brief(r.before), brief(r.after));
    return r;
  }
  set_percent(r, before.kl_mean > 1.96 * before.kl_mean_se,
              fmt::format("{} nats", brief(r.before)));
  if (r.percent) r.line += fmt::format(" ({} to {} nats)", brief(r.before), brief(r.after));
  return r;
}

}  // namespace

const char* to_string(Significance significance) {
  switch (significance) {
    case Significance::kNoise:
      return "noise";
    case Significance::kLoss:
      return "real loss";
    case Significance::kGain:
      return "real gain";
    default:
      return "not known";
  }
}

double QualityChange::worst() const {
  const double end = more_is_better ? -low : high;
  return std::isfinite(end) ? end : loss();
}

std::optional<QualityChange> quality_change(const Report& report, const VariantResult& variant) {
  if (variant.name == report.reference) return {};
  std::optional<QualityChange> c;
  if (!variant.scores.empty()) {
    c = score_change(variant.scores.front());
  } else if (variant.quality) {
    c = perplexity_change(*variant.quality);
  }
  if (!c || !std::isfinite(c->change)) return {};
  c->significance = significance_of(*c);
  return c;
}

std::string to_string(const QualityChange& c) {
  std::string out = fmt::format("{} {}", c.measure, digits_of(c, c.change));
  if (c.unit == "points") out += " points";
  if (std::isfinite(c.low) && std::isfinite(c.high)) {
    out += fmt::format(" [{}, {}]", digits_of(c, c.low), digits_of(c, c.high));
  }
  if (std::isfinite(c.p)) out += fmt::format(", p {}", probability(c.p));
  return out;
}

std::vector<Recovery> recoveries(const Report& report) {
  std::vector<Recovery> out;
  for (const VariantResult& tuned : report.variants) {
    if (tuned.tuned_from.empty()) continue;
    const VariantResult& start = find_variant(report, tuned.tuned_from);
    if (const auto r = primary_recovery(report, tuned, start)) out.push_back(*r);
    if (const auto r = divergence_recovery(tuned, start)) out.push_back(*r);
  }
  return out;
}

}  // namespace octet
