#include <fmt/format.h>

#include <cmath>

#include "report/figures.h"
#include "report/quality.h"
#include "report/report.h"

namespace octet {
namespace {

constexpr double kMemoryNoise = 0.02;

void add_speed(std::vector<Loss>& out, const VariantResult& v, const VariantResult& base,
               const std::optional<PhaseSpeed>& mine, const std::optional<PhaseSpeed>& theirs,
               const char* verb, const char* measure) {
  if (!mine || !theirs || !(theirs->tokens_per_second > 0)) return;
  const double ratio = mine->tokens_per_second / theirs->tokens_per_second;
  const double noise = 2 * std::hypot(relative_error(mine->ms), relative_error(theirs->ms));
  if (!(ratio < 1 - noise)) return;
  out.push_back(
      {"Slower", v.name, base.name, measure, ratio,
       fmt::format("Slower: {} {} at {:.2f}x of {} ({:.1f} against {:.1f} tok/s)", v.name, verb,
                   ratio, base.name, mine->tokens_per_second, theirs->tokens_per_second)});
}

void add_task_speed(std::vector<Loss>& out, const Report& report, const VariantResult& v,
                    const VariantResult& base) {
  if (!v.speed || !base.speed || !(base.speed->items_per_second > 0)) return;
  const double ratio = v.speed->items_per_second / base.speed->items_per_second;
  const double noise =
      2 * std::hypot(relative_error(v.speed->batch_ms), relative_error(base.speed->batch_ms));
  if (!(ratio < 1 - noise)) return;
  out.push_back({"Slower", v.name, base.name, "throughput", ratio,
                 fmt::format("Slower: {} does {:.2f}x the {}s a second of {} ({:.1f} against "
                             "{:.1f})",
                             v.name, ratio, item_of(report), base.name, v.speed->items_per_second,
                             base.speed->items_per_second)});
}

// In the score that the task is judged by, against the reference alone: its difference is paired.
void add_score(std::vector<Loss>& out, const Report& report, const VariantResult& v) {
  const auto change = quality_change(report, v);
  if (!change || v.scores.empty() || !(change->loss() > 0)) return;
  if (change->significance != Significance::kLoss &&
      change->significance != Significance::kUnknown) {
    return;
  }
  const double before = v.scores[0].reference;
  out.push_back(
      {"Worse", v.name, report.reference, change->measure,
       before > 0 ? v.scores[0].value / before : 0,
       fmt::format(
           "Worse: {} has {:.2f} {} less than {} ({:.2f} against {:.2f}{})", v.name, change->loss(),
           change->unit.empty() ? change->measure : change->unit + " of " + change->measure,
           report.reference, v.scores[0].value, before,
           std::isfinite(change->low)
               ? fmt::format("; 95 % interval {:+.2f} to {:+.2f}", change->low, change->high)
               : "; without an interval")});
}

// Half the 95 % interval of ln(perplexity / reference); 0 when unknown.
double half_interval(const Comparison& c) {
  const double half = (c.ln_ratio_high - c.ln_ratio_low) / 2;
  return std::isfinite(half) ? half : 0;
}

void add_quality(std::vector<Loss>& out, const VariantResult& v, const VariantResult& base) {
  if (!v.quality || !base.quality) return;
  const double ln_ratio = std::log(v.quality->perplexity) - std::log(base.quality->perplexity);
  const double noise = std::hypot(half_interval(*v.quality), half_interval(*base.quality));
  if (ln_ratio <= noise) return;
  out.push_back({"Worse", v.name, base.name, "perplexity", std::exp(ln_ratio),
                 fmt::format("Worse: {} has {:.4f}x the perplexity of {} ({:.3f} against {:.3f})",
                             v.name, std::exp(ln_ratio), base.name, v.quality->perplexity,
                             base.quality->perplexity)});
}

void add_bytes(std::vector<Loss>& out, const std::string& variant, const std::string& base,
               std::optional<uint64_t> mine, std::optional<uint64_t> theirs, double noise,
               const char* kind, const char* measure) {
  if (!mine || !theirs || *theirs == 0) return;
  const double ratio = static_cast<double>(*mine) / static_cast<double>(*theirs);
  if (!(ratio > 1 + noise)) return;
  out.push_back({kind, variant, base, measure, ratio,
                 fmt::format("{}: {} takes {:.2f}x the {} of {} ({:.1f} against {:.1f} MB)", kind,
                             variant, ratio, measure, base, static_cast<double>(*mine) / 1e6,
                             static_cast<double>(*theirs) / 1e6)});
}

}  // namespace

std::vector<Loss> losses(const Report& report) {
  std::vector<Loss> out;
  for (const VariantResult& v : report.variants) {
    if (is_baseline(report, v)) continue;
    if (report.fp16_checkpoint_bytes > 0) {
      add_bytes(out, v.name, "the FP16 checkpoint", v.bytes_on_disk, report.fp16_checkpoint_bytes,
                0, "Larger", "size");
    }
    add_score(out, report, v);
    for (const VariantResult& base : report.variants) {
      if (!is_baseline(report, base)) continue;
      add_speed(out, v, base, v.decode, base.decode, "decodes", "decode");
      add_speed(out, v, base, v.prefill, base.prefill, "prefills", "prefill");
      add_task_speed(out, report, v, base);
      if (v.scores.empty()) add_quality(out, v, base);
      add_bytes(out, v.name, base.name, v.peak_memory_bytes, base.peak_memory_bytes, kMemoryNoise,
                "More memory", "peak memory");
    }
  }
  return out;
}

}  // namespace octet
