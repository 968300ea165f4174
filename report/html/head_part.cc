// The first screen: what to take, what each variant lost and whether that is real, what came back,
// what it costs.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "report/figures.h"
#include "report/html/parts.h"
#include "report/quality.h"
#include "report/sections.h"
#include "report/verdict.h"

namespace octet::html {
namespace {

Markup chip(const char* kind, std::string_view words) {
  return element("span", {{"class", std::string("chip ") + kind}}, words);
}

const char* chip_of(Significance significance) {
  switch (significance) {
    case Significance::kLoss:
      return "loss";
    case Significance::kGain:
      return "gain";
    default:
      return "noise";
  }
}

Markup cell(const std::string& label, const Markup& content, const char* kind = "") {
  return element("td", {{"data-label", label}, {"class", kind}}, content);
}

std::string label_of(const Report& report) {
  return fmt::format("Latency, ms a {}", item_of(report));
}

Markup small(std::string_view words) {
  return element("small", prose(words));
}

std::string unit_of(const QualityChange& change) {
  return change.unit == "%" ? " %" : change.unit == "points" ? " points" : "";
}

Markup change_cell(const Page& page, const VariantResult& v, size_t i) {
  const auto change = quality_change(page.report, v);
  if (!change) {
    const bool reference = v.name == page.report.reference;
    if (!reference || v.scores.empty()) return text(reference ? "reference" : "not measured");
    const std::string at = fmt::format("/variants/{}/scores/0/value", i);
    return text(v.scores[0].metric + " ") + figure(page, {number(v.scores[0].value, 2), at}) +
           small("reference");
  }
  const std::string at = fmt::format("/variants/{}/change/", i);
  Markup out = text(change->measure + " ") +
               figure(page, {fmt::format("{:+.2f}", change->change), at + "change"}) +
               text(unit_of(*change));
  std::string more;
  if (std::isfinite(change->low) && std::isfinite(change->high)) {
    more = fmt::format("{:+.2f} to {:+.2f}", change->low, change->high);
  }
  if (std::isfinite(change->p)) {
    more += fmt::format("{}p {}", more.empty() ? "" : ", ", probability(change->p));
  }
  return more.empty() ? out : out + small(more);
}

Markup divergence_cell(const Page& page, const VariantResult& v, size_t i) {
  if (!v.quality || !std::isfinite(v.quality->kl_mean) || v.name == page.report.reference) {
    return text(kNone);
  }
  return figure(page, {brief(v.quality->kl_mean), fmt::format("/variants/{}/quality/kl_mean", i)});
}

Markup recovered_cell(const Report& report, const VariantResult& v) {
  if (v.tuned_from.empty()) return text(kNone);
  Markup out;
  for (const Recovery& r : recoveries(report)) {
    if (r.variant != v.name) continue;
    out += element(
        "span", {{"class", "line"}},
        r.percent ? fmt::format("{:.0f} % of {}", *r.percent, r.measure)
                  : fmt::format("{}: was {}", r.measure,
                                r.line.find("noise") != std::string::npos ? "noise" : "not lost"));
  }
  return out.html.empty() ? text("not known") : out;
}

Markup summary_row(const Page& page, const VariantVerdict& judged, size_t i) {
  const VariantResult& v = page.report.variants[i];
  const auto change = quality_change(page.report, v);
  const auto cost = cost_of(v);
  Markup name = element("span", {{"class", "name"}}, v.name);
  if (judged.recommended) name += chip("best", "recommended");
  if (!judged.acceptable) name += chip("loss", "quality does not hold");
  if (!v.tuned_from.empty()) name += small("fine-tuned from " + v.tuned_from);
  const std::string at = fmt::format("/variants/{}/", i);
  const Markup disk = v.bytes_on_disk
                          ? figure(page, {megabytes(v.bytes_on_disk), at + "bytes_on_disk", 1e-6})
                          : text(kNone);
  const Markup ms = cost ? figure(page, {number(cost->ms, 2), at + "ms_an_item"}) : text(kNone);
  return element("tr", {{"class", judged.recommended ? "chosen" : ""}},
                 element("th", {{"scope", "row"}}, name) +
                     cell("Change, 95 % interval", change_cell(page, v, i), "change") +
                     cell("Is it real?", change ? chip(chip_of(change->significance),
                                                       to_string(change->significance))
                                                : text(kNone)) +
                     cell("KL, nats", divergence_cell(page, v, i), "num") +
                     cell("Recovered by fine-tuning", recovered_cell(page.report, v)) +
                     cell("Disk, MB", disk, "num") + cell(label_of(page.report), ms, "num") +
                     cell("Why", prose(judged.why), "why"));
}

Markup summary(const Page& page, const Verdict& verdict) {
  const std::string reference =
      page.report.reference.empty() ? "the reference" : page.report.reference;
  Markup head;
  for (const auto& [title, kind] :
       {std::pair{std::string("Variant"), ""},
        std::pair{"Change against " + reference + ", 95 % interval", ""},
        std::pair{std::string("Is it real?"), ""}, std::pair{std::string("KL, nats"), "num"},
        std::pair{std::string("Recovered by fine-tuning"), ""},
        std::pair{std::string("Disk, MB"), "num"}, std::pair{label_of(page.report), "num"},
        std::pair{std::string("Why"), ""}}) {
    head += element("th", {{"scope", "col"}, {"class", kind}}, title);
  }
  Markup body;
  for (size_t i = 0; i < verdict.variants.size(); ++i) {
    body += summary_row(page, verdict.variants[i], i);
  }
  return element(
      "div",
      {{"class", "scroll"}, {"role", "region"}, {"aria-label", "Summary"}, {"tabindex", "0"}},
      element("table", {{"class", "summary"}},
              element("caption", {{"class", "hidden"}},
                      "What each variant lost, whether that is real, and what it costs") +
                  element("thead", element("tr", head)) + element("tbody", body)));
}

}  // namespace

Markup head_part(const Page& page) {
  const Verdict v = verdict(page.report);
  Markup about;
  for (const std::string* line :
       {&page.report.model, &page.report.hardware, &page.report.eval_signature}) {
    if (!line->empty()) about += element("span", *line);
  }
  Markup out = element(
      "header", element("h1", page.report.title) + element("p", {{"class", "about"}}, about));
  Markup verdict_box = element("h2", {{"id", "verdict"}}, "Verdict");
  verdict_box += element("p", {{"class", "headline"}}, v.headline) +
                 element("p", {{"class", "detail"}}, prose(v.detail));
  verdict_box += summary(page, v);
  out += element("section", {{"class", "verdict"}, {"aria-labelledby", "verdict"}}, verdict_box);
  return out;
}

Markup losses_part(const Page& page) {
  Markup items, gap_items, tuned;
  const auto all = losses(page.report);
  for (const Loss& loss : all) items += element("li", prose(loss.line));
  for (const std::string& gap : gaps(page.report)) gap_items += element("li", gap);
  for (const Recovery& r : recoveries(page.report)) {
    tuned += element("li", prose(r.variant + ": " + r.line));
  }
  Markup out = element("h2", {{"id", "losses"}}, "Measured losses");
  out += all.empty() ? element("p", head_lines(page.report).front())
                     : element("ul", {{"class", "losses"}}, items);
  if (!gap_items.html.empty()) out += element("ul", {{"class", "gaps"}}, gap_items);
  if (!tuned.html.empty()) {
    out += element("h3", "What fine-tuning recovered") + element("ul", tuned);
  }
  out += element("p", {{"class", "rule"}},
                 prose("How the verdict is reached: " + verdict(page.report).rule));
  return element("section", {{"aria-labelledby", "losses"}}, out);
}

}  // namespace octet::html
