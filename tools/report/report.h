// The report of a run: what each variant costs, how fast it is and how good, losses first.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "eval/latency.h"
#include "eval/statistics.h"

namespace octet {

/// Speed of one phase. A rate of 0 is not a measurement: leave the optional empty instead.
struct PhaseSpeed {
  double tokens_per_second = 0;
  LatencyStats ms;  ///< a prefill pass or a decode step, milliseconds
};

/// One column of the comparison: a float baseline or a quantized scheme. What was not measured is
/// empty.
struct VariantResult {
  std::string name;    ///< shown and referred to by Report::baselines; unique
  std::string scheme;  ///< "fp32", "bf16", "w8a8-dynamic", ...
  std::optional<uint64_t> bytes_on_disk;
  std::optional<uint64_t> weight_bytes;       ///< held in memory for weights and scales
  std::optional<uint64_t> peak_memory_bytes;  ///< of the process or device while measured
  std::optional<Comparison> quality;          ///< against Report::reference
  std::optional<PhaseSpeed> prefill, decode;
};

struct Report {
  std::string title, model;
  std::string hardware;        ///< one line
  std::string reference;       ///< name of the variant whose logits are the KL reference
  std::string eval_signature;  ///< data, windows, length, tokenizer: what makes figures comparable
  std::string provenance = "{}";       ///< a JSON object as text
  uint64_t fp16_checkpoint_bytes = 0;  ///< size ratios are against this; 0: unknown
  std::vector<std::string> baselines;  ///< variant names every other variant is compared with
  std::vector<VariantResult> variants;
  std::vector<std::string> kept_layers;  ///< left in floating point
  std::vector<std::string> commands;     ///< that repeat the run
};

/// Where a variant loses to a named baseline.
struct Loss {
  std::string kind;  ///< "Slower", "Worse", "Larger" or "More memory"
  std::string variant, baseline, measure;
  double ratio = 0;  ///< variant / baseline
  std::string line;  ///< as printed, e.g. "Slower: w8a8-static decodes at 0.93x of BF16 (...)"
};

/// Every loss beyond noise of every variant that is no baseline, against each baseline (and in size
/// against the FP16 checkpoint). Noise: for rates, two standard errors of both runs' latencies; for
/// perplexity, the 95 % intervals of both ln ratios to the reference. Without error bars any loss
/// counts; memory counts above 2 %.
std::vector<Loss> losses(const Report& report);

/// Losses first, then tables of at most 120 columns.
std::string report_text(const Report& report);
/// The same as Markdown, with provenance and commands.
std::string report_markdown(const Report& report);
/// Everything, "losses" first, "octet_report": 1. Not measured is null.
nlohmann::ordered_json report_json(const Report& report);
/// Writes report.json and report.md into `folder`, each atomically. All functions throw Error if a
/// baseline or the reference names no variant, a name is used twice, or the provenance is no JSON
/// object.
void write_report(const Report& report, const std::string& folder);

}  // namespace octet
