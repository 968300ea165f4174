// The report of a run: what each variant costs, how fast it is and how good, losses first.
// Its parts: losses.cc and verdict.h judge, sections.h makes the tables, report_text.cc,
// report_markdown.cc, report_json.cc and html/ write them down, report_parse.cc reads report.json.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "eval/latency.h"
#include "eval/layer_errors.h"
#include "eval/statistics.h"
#include "eval/task_scores.h"
#include "finetune/training.h"
#include "models/architectures/registry.h"

namespace octet {

/// What calibration saw at a site's input, and the range that it chose; equal where not clipped.
struct ActivationRange {
  std::string site;
  double absmax = 0, range = 0;
};

/// One column of the comparison: a float baseline or a quantized scheme. What was not measured is
/// empty.
struct VariantResult {
  std::string name;    ///< shown and referred to by Report::baselines; unique
  std::string scheme;  ///< "fp32", "bf16", "w8a8-dynamic", ...
  std::optional<uint64_t> bytes_on_disk;
  std::optional<uint64_t> weight_bytes;       ///< held in memory for weights and scales
  std::optional<uint64_t> peak_memory_bytes;  ///< of the process or device while measured
  std::optional<Comparison> quality;          ///< teacher-forced, against Report::reference
  std::optional<PhaseSpeed> prefill, decode;  ///< of language models
  std::optional<TaskSpeed> speed;             ///< of the other tasks
  std::vector<TaskScore> scores;              ///< the first one is judged by
  std::string tuned_from;                     ///< fine-tuned: the variant it started from
  std::optional<TrainResult> tuning;          ///< its curve
  std::vector<LayerError> layer_errors;       ///< in the order of the network
  std::vector<OutputExample> examples;        ///< most changed first
};

struct Report {
  std::string title, model;
  TaskKind task = TaskKind::kLanguage;
  std::string hardware;        ///< one line
  std::string reference;       ///< name of the variant whose outputs the others are held against
  std::string eval_signature;  ///< data, windows, length, tokenizer: what makes figures comparable
  std::string provenance = "{}";       ///< a JSON object as text
  uint64_t fp16_checkpoint_bytes = 0;  ///< size ratios are against this; 0: unknown
  std::vector<std::string> baselines;  ///< variant names every other variant is compared with
  std::vector<VariantResult> variants;
  std::vector<ActivationRange> ranges;   ///< of the static scheme, in the order of the network
  std::string range_method;              ///< how they were chosen: "mse", "entropy", ...
  std::vector<std::string> kept_layers;  ///< left in floating point
  std::vector<std::string> commands;     ///< that repeat the run
};

/// A point in which a variant is worse than a named baseline.
struct Loss {
  std::string kind;  ///< "Slower", "Worse", "Larger" or "More memory"
  std::string variant, baseline, measure;
  double ratio = 0;  ///< variant / baseline
  std::string line;  ///< as printed, e.g. "Slower: w8a8-static decodes at 0.93x of BF16 (...)"
};

/// Every loss beyond noise of every variant that is no baseline, against each baseline (in size
/// against the FP16 checkpoint, in a task's score against the reference). Noise: for rates, two
/// standard errors of both runs' latencies; for perplexity, the 95 % intervals of both ln ratios to
/// the reference; for scores, the 95 % interval of the difference and p >= 0.05. Without error bars
/// any loss counts; memory counts above 2 %.
std::vector<Loss> losses(const Report& report);

/// Losses first, then the verdict and tables of at most 120 columns.
std::string report_text(const Report& report);
/// The same as Markdown, with provenance and commands.
std::string report_markdown(const Report& report);
/// One self-contained page: inline style, scripts and data, nothing fetched. Without Chart.js (see
/// chart_js()) its charts are tables.
std::string report_html(const Report& report);
/// Everything, "losses" first, "octet_report": kReportVersion. Not measured is null.
nlohmann::ordered_json report_json(const Report& report);
inline constexpr int kReportVersion = 2;
/// The inverse; `what` names the source in errors. What follows from the rest (losses, verdict) is
/// made anew. Throws Error on what is missing or of another kind, and on a newer version.
Report report_from_json(const nlohmann::json& json, const std::string& what);
/// Writes report.json, report.md and report.html into `folder`, each atomically. All functions
/// throw Error if a baseline, the reference or a tuned_from names no variant, a name is used twice,
/// or the provenance is no JSON object.
void write_report(const Report& report, const std::string& folder);

}  // namespace octet
