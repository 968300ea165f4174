// Made-up reports: translation with everything that a report can hold, language, images.
#pragma once
#include <cmath>
#include <string>

#include "report/report.h"

namespace octet::test {

inline LatencyStats latency(double ms, double relative_stddev = 0.02, int64_t n = 100) {
  return {ms, relative_stddev * ms, ms, ms * 1.1, ms * 0.9, n};
}

/// A comparison with the mean KL `kl` and a change of ln(perplexity), both with narrow intervals.
inline Comparison compared(double kl, double ln_ratio, double perplexity = 6) {
  Comparison c;
  c.windows = 1000, c.positions = 15000, c.has_reference = true;
  c.ref_perplexity = perplexity;
  c.perplexity = perplexity * std::exp(ln_ratio), c.perplexity_se = 0.08;
  c.delta_perplexity = c.perplexity - perplexity, c.delta_perplexity_se = 0.002;
  c.perplexity_ratio = std::exp(ln_ratio);
  c.ln_ratio = ln_ratio, c.ln_ratio_se = 0.0005;
  c.ln_ratio_low = ln_ratio - 0.001, c.ln_ratio_high = ln_ratio + 0.001;
  c.kl_mean = kl, c.kl_mean_se = 0.03 * kl, c.kl_median = kl / 3, c.kl_p99 = 12 * kl;
  c.kl_p999 = 40 * kl, c.kl_max = 90 * kl;
  c.same_top1 = 1 - std::sqrt(kl) / 4, c.same_top1_se = 0.001;
  return c;
}

/// A score around 39.6 with a paired difference of `delta` and half an interval of `half`.
inline TaskScore score(const std::string& metric, double base, double delta, double half, double p,
                       int64_t changed) {
  TaskScore s;
  s.metric = metric;
  s.signature =
      metric == "BLEU" ? "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0" : "";
  s.value = base + delta, s.low = s.value - 1.4, s.high = s.value + 1.4;
  s.reference = base, s.delta = delta;
  s.delta_low = delta - half, s.delta_high = delta + half;
  s.p_value = p, s.changed = changed, s.total = 1000;
  return s;
}

inline TaskScore reference_score(const std::string& metric, double base) {
  TaskScore s = score(metric, base, 0, 0, NAN, 0);
  s.reference = s.delta = s.delta_low = s.delta_high = NAN;
  return s;
}

inline TaskSpeed task_speed(double items_per_second, double single_ms) {
  return {items_per_second, 32, latency(32000 / items_per_second), latency(single_ms)};
}

/// A curve from `start` down to `end` in ten evaluations.
inline TrainResult curve(double start, double end) {
  TrainResult out;
  for (int64_t i = 0; i <= 10; ++i) {
    const double t = 1 - std::exp(-0.4 * static_cast<double>(i));
    const double kl = start + (end - start) * t / (1 - std::exp(-3.6)) + (i == 10 ? end * 0.1 : 0);
    out.eval.push_back({50 * i, kl, 1.79 + kl, kl, 0, 0});
  }
  for (int64_t i = 0; i < 500; i += 5) {
    const double kl = end + (start - end) * std::exp(-static_cast<double>(i) / 125);
    const double wave = 1 + 0.2 * std::sin(static_cast<double>(i * i));
    out.train.push_back({i + 1, kl * wave, 1.6 + kl * wave, kl * wave, 1e-5, 0.3});
  }
  out.best = 9, out.steps = 500;
  return out;
}

inline std::vector<LayerError> layer_errors(double size) {
  std::vector<LayerError> out;
  for (int i = 0; i < 6; ++i) {
    for (const char* name : {"self_attn.qkv", "self_attn.out_proj", "fc1", "fc2"}) {
      const double wave = 1 + 0.6 * std::sin(3.0 * i + static_cast<double>(name[3]));
      out.push_back({std::string(i < 3 ? "model.encoder.layers." : "model.decoder.layers.") +
                         std::to_string(i % 3) + "." + name,
                     size * wave * (1 + 0.25 * i)});
    }
  }
  return out;
}

inline OutputExample example(int64_t index, const std::string& source, const std::string& target,
                             const std::string& original, const std::string& output) {
  return {index, source, target, original, output, 41.3, 55.8};
}

inline VariantResult translation_variant(const std::string& name, uint64_t bytes, double rate,
                                         double ms) {
  VariantResult v;
  v.name = v.scheme = name;
  v.bytes_on_disk = bytes, v.weight_bytes = bytes, v.peak_memory_bytes = bytes + 90000000;
  v.speed = task_speed(rate, ms);
  return v;
}

inline std::vector<OutputExample> sentences() {
  return {
      example(17, "Two dogs are playing with a ball in the snow.",
              "Zwei Hunde spielen im Schnee mit einem Ball.",
              "Zwei Hunde spielen im Schnee mit einem Ball.",
              "Zwei Hunde spielen mit einem roten Ball im Schnee."),
      example(102, "A man in an orange hat staring at something.",
              "Ein Mann mit einem orangefarbenen Hut, der etwas anstarrt.",
              "Ein Mann mit orangefarbenem Hut starrt etwas an.",
              "Ein Mann mit orangefarbener Mütze starrt auf etwas."),
      example(333, "People are fixing the roof of a house.",
              "Leute reparieren das Dach eines Hauses.", "Leute reparieren das Dach eines Hauses.",
              "Die Leute reparieren das Dach des Hauses.")};
}

inline Report translation_report() {
  Report r;
  r.title = "marian-en-de: INT8 and INT4 against its float baseline";
  r.model = "marian-en-de";
  r.task = TaskKind::kTranslation;
  r.hardware = "Intel Xeon, 2 cores, avx512-vnni";
  r.reference = "float32";
  r.eval_signature = "multi30k test_2016_flickr, 1000 sentences, beam 4";
  r.provenance = R"({"octet": "0.1.0", "seed": 7, "data": "parallel:test.en,test.de"})";
  r.fp16_checkpoint_bytes = 12600000;
  r.baselines = {"float32"};
  r.variants = {translation_variant("float32", 12600000, 62, 41),
                translation_variant("w8a16", 7900000, 71, 36),
                translation_variant("w8a8-dynamic", 7900000, 138, 19.2),
                translation_variant("w8a8-static", 7910000, 150, 17.6),
                translation_variant("w4a16-g64", 6100000, 66, 39),
                translation_variant("w8a8-static + QAT", 7910000, 150, 17.7),
                translation_variant("w4a16-g64 + QAT", 6100000, 66, 39)};
  const double bleu[] = {0, -0.04, -0.18, -0.27, -0.65, -0.05, -0.12};
  const double half[] = {0, 0.12, 0.22, 0.3, 0.5, 0.2, 0.3};
  const double p[] = {NAN, 0.55, 0.11, 0.08, 0.011, 0.62, 0.43};
  const double kl[] = {0, 0.00004, 0.0001, 0.0004, 0.007, 0.00016, 0.0029};
  r.variants[0].scores = {reference_score("BLEU", 39.6), reference_score("chrF2", 62.1)};
  r.variants[0].quality = compared(0, 0);
  r.variants[0].quality->kl_mean = NAN;
  for (size_t i = 1; i < r.variants.size(); ++i) {
    const auto changed = static_cast<int64_t>(20 + 2500 * std::sqrt(kl[i]));
    r.variants[i].scores = {score("BLEU", 39.6, bleu[i], half[i], p[i], changed),
                            score("chrF2", 62.1, bleu[i] / 2, half[i] / 2, p[i], changed)};
    r.variants[i].quality = compared(kl[i], kl[i]);
    r.variants[i].layer_errors = layer_errors(2 * std::sqrt(kl[i]));
    r.variants[i].examples = sentences();
  }
  r.variants[5].tuned_from = "w8a8-static", r.variants[5].tuning = curve(0.0004, 0.00016);
  r.variants[6].tuned_from = "w4a16-g64", r.variants[6].tuning = curve(0.007, 0.0029);
  for (const LayerError& e : layer_errors(4)) {
    r.ranges.push_back({e.site, e.error * 5, e.error * 5 / (1 + e.error / 8)});
  }
  r.range_method = "mse";
  r.kept_layers = {"lm_head (kept by default)", "embeddings and norms (kept by design)"};
  r.commands = {"octet run marian-en-de --calib-data train.en --finetune 500 --out report"};
  return r;
}

inline PhaseSpeed phase_speed(double tokens_per_second) {
  return {tokens_per_second, latency(1000 / tokens_per_second)};
}

inline VariantResult language_variant(const std::string& name, uint64_t bytes, double decode,
                                      double kl, double ln_ratio) {
  VariantResult v;
  v.name = v.scheme = name;
  v.bytes_on_disk = bytes, v.weight_bytes = bytes, v.peak_memory_bytes = 2 * bytes;
  v.prefill = phase_speed(30 * decode), v.decode = phase_speed(decode);
  v.quality = compared(kl, ln_ratio, 24);
  return v;
}

inline Report language_report() {
  Report r;
  r.title = "SmolLM2-135M: INT8 against its float baselines";
  r.model = "SmolLM2-135M";
  r.hardware = "2 cores";
  r.reference = "float32";
  r.eval_signature = "wikitext-2/test|L1024";
  r.fp16_checkpoint_bytes = 269100000;
  r.baselines = {"float32", "bfloat16"};
  r.variants = {language_variant("float32", 269100000, 32, 0, 0),
                language_variant("bfloat16", 269100000, 58, 0, 0),
                language_variant("w8a8-dynamic", 163300000, 72, 0.027, 0.008),
                language_variant("w8a8-static", 163300000, 74, 0.129, 0.25),
                language_variant("w8a16", 163300000, 70, 0.0011, 0.0004),
                language_variant("w8a8-static + QAT", 163300000, 74, 0.062, 0.11)};
  r.variants[0].quality->kl_mean = NAN;
  r.variants[1].quality.reset();
  r.variants[5].tuned_from = "w8a8-static", r.variants[5].tuning = curve(0.129, 0.062);
  r.commands = {"octet run SmolLM2 --eval-data test.txt --out report"};
  return r;
}

inline Report vision_report() {
  Report r = translation_report();
  r.title = "vit-fashion-mnist: INT8 and INT4 against its float baseline";
  r.model = "vit-fashion-mnist";
  r.task = TaskKind::kVision;
  r.eval_signature = "fashion-mnist test, 10000 images";
  for (VariantResult& v : r.variants) {
    TaskScore s = v.scores[0];
    s.metric = "accuracy", s.signature = "", s.value += 53, s.low += 53, s.high += 53;
    s.reference += 53, s.total = 10000;
    v.scores = {s};
    v.examples.clear();
  }
  return r;
}

}  // namespace octet::test
