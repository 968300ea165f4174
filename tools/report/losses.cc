#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/report/report.h"

namespace octet {
namespace {

constexpr double kMemoryNoise = 0.02;

// Relative standard error of a mean latency; 0 when unknown, so that any loss shows.
double relative_error(const LatencyStats& ms) {
  if (ms.n < 2 || !(ms.mean > 0) || !std::isfinite(ms.stddev)) return 0;
  return ms.stddev / std::sqrt(static_cast<double>(ms.n)) / ms.mean;
}

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
  const auto is_baseline = [&](const std::string& name) {
    return std::find(report.baselines.begin(), report.baselines.end(), name) !=
           report.baselines.end();
  };
  std::vector<Loss> out;
  for (const VariantResult& v : report.variants) {
    if (is_baseline(v.name)) continue;
    if (report.fp16_checkpoint_bytes > 0) {
      add_bytes(out, v.name, "the FP16 checkpoint", v.bytes_on_disk, report.fp16_checkpoint_bytes,
                0, "Larger", "size");
    }
    for (const VariantResult& base : report.variants) {
      if (!is_baseline(base.name)) continue;
      add_speed(out, v, base, v.decode, base.decode, "decodes", "decode");
      add_speed(out, v, base, v.prefill, base.prefill, "prefills", "prefill");
      add_quality(out, v, base);
      add_bytes(out, v.name, base.name, v.peak_memory_bytes, base.peak_memory_bytes, kMemoryNoise,
                "More memory", "peak memory");
    }
  }
  return out;
}

}  // namespace octet
