#include "quant/schemes/plan.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <span>

#include "core/error.h"
#include "models/architectures/registry.h"
#include "models/modules_by_name.h"
#include "quant/schemes/name_pattern.h"

namespace octet {
namespace {

std::span<const std::string_view> allowed_names(const std::string& architecture) {
  const Architecture* row = find_architecture(architecture);
  return row != nullptr ? row->projections : projection_names();
}

std::vector<int64_t> fitting_groups(int64_t k) {
  std::vector<int64_t> groups;
  for (int64_t group = 8; group <= k; group += 8) {
    if (k % group == 0) groups.push_back(group);
  }
  return groups;
}

void check_group(const Matrix& matrix, const Scheme& scheme) {
  const int64_t group = scheme.weight.group;
  if (group == 0 || matrix.k % group == 0) return;
  const auto fitting = fitting_groups(matrix.k);
  throw UsageError(
      fmt::format("groups of {} in {}, which has {} inputs", group, matrix.name, matrix.k),
      fitting.empty() ? std::string("a number of inputs that is a multiple of 8")
                      : fmt::format("a group that divides them: {}", fmt::join(fitting, ", ")),
      fmt::format("choose such a group, or --layer '.*{}=w8a16' for these layers",
                  matrix.name.substr(matrix.name.rfind('.') + 1)));
}

// One option that chooses layers by name, and whether it came to anything.
struct Rule {
  std::string flag;  // as on the command line, for reasons and errors
  NamePattern pattern;
  Scheme scheme;
  bool decided = false;
};

std::vector<Rule> make_rules(const PlanRules& rules) {
  std::vector<Rule> made;
  for (const LayerRule& rule : rules.layers) {
    const std::string flag = fmt::format("--layer {}={}", rule.pattern, rule.scheme.name);
    made.push_back({flag, NamePattern(rule.pattern, "--layer"), rule.scheme});
  }
  // Behind the layer rules, so that they win.
  for (const std::string& pattern : rules.ignore) {
    made.push_back({"--ignore " + pattern, NamePattern(pattern, "--ignore"), Scheme()});
  }
  return made;
}

class Planner {
 public:
  Planner(const PlanRules& rules, const StaticInputs& inputs)
      : rules_(rules), inputs_(inputs), chosen_(make_rules(rules)) {}

  std::vector<ModulePlan> run(const Topology& topology) {
    for (const Site& site : topology.sites) {
      if (site.block == kOutside) {
        plan_head(site);
      } else {
        plan_site(site);
      }
    }
    for (const Rule& rule : chosen_) {
      if (rule.decided) continue;
      throw UsageError(
          fmt::format("{} decides no layer", rule.flag),
          "a pattern that matches a linear layer from the start of its name, and that no later "
          "rule "
          "overrules",
          "patterns start at the name's first letter: '.*down_proj' finds every down_proj");
    }
    return std::move(plan_);
  }

 private:
  // What one rule, the default or the calibration says of a whole site.
  struct Choice {
    Scheme scheme;
    std::string reason;  // empty: see the rule
    double input_range = 0;
  };

  void add(const Site& site, size_t i, const Choice& choice, const std::string& reason) {
    const Matrix& matrix = site.matrices[i];
    check_group(matrix, choice.scheme);
    const bool clip = choice.scheme.weight.element == Dtype::kI4 && rules_.clip_search;
    plan_.push_back({matrix.name, choice.scheme, reason, choice.input_range, matrix.n, matrix.k,
                     site.weight_name(i), clip});
  }

  void plan_head(const Site& site) {
    const bool tied = !site.tied_to.empty();
    std::string reason;
    if (!rules_.head.quantized()) {
      reason = tied ? "output head: tied to the embedding, kept by default"
                    : "output head: kept by default";
    } else {
      reason = tied ? "output head by --head: copied from the embedding" : "output head by --head";
    }
    for (size_t i = 0; i < site.matrices.size(); ++i) add(site, i, {rules_.head, "", 0}, reason);
  }

  // The last rule that matches any matrix of the site, and that matrix.
  std::pair<Rule*, std::string> rule_of(const Site& site) {
    for (auto rule = chosen_.rbegin(); rule != chosen_.rend(); ++rule) {
      for (const Matrix& matrix : site.matrices) {
        if (rule->pattern.matches(matrix.name)) return {&*rule, matrix.name};
      }
    }
    return {nullptr, ""};
  }

  void plan_site(const Site& site) {
    const auto [rule, matched] = rule_of(site);
    if (rule != nullptr) rule->decided = true;
    const Choice choice = choose(site, rule);
    for (size_t i = 0; i < site.matrices.size(); ++i) {
      const bool by_rule = choice.reason.empty() && rule != nullptr;
      add(site, i, choice, by_rule ? reason_of(*rule, matched, site.matrices[i]) : choice.reason);
    }
  }

  Choice choose(const Site& site, const Rule* rule) const {
    const auto allowed = [this](const Matrix& matrix) {
      return is_projection(rules_.architecture, matrix.name);
    };
    if (rule == nullptr && !std::all_of(site.matrices.begin(), site.matrices.end(), allowed)) {
      return {Scheme(), "not on the list of projections", 0};
    }
    const Scheme& scheme = rule != nullptr ? rule->scheme : rules_.scheme;
    if (!scheme.input.per_tensor()) return {scheme, "", 0};
    const StaticInput& input = input_of(site);
    if (input.per_token) return {parse_scheme("w8a8-dynamic"), input.reason, 0};
    return {scheme, "", input.range};
  }

  static std::string reason_of(const Rule& rule, const std::string& matched, const Matrix& matrix) {
    if (rule.pattern.matches(matrix.name)) return rule.flag;
    return fmt::format("{} matches {}, which reads the same input", rule.flag, matched);
  }

  const StaticInput& input_of(const Site& site) const {
    const auto found = inputs_.find(site.name);
    if (found != inputs_.end()) return found->second;
    throw Error(fmt::format("no activation range of {} in the calibration", site.name),
                "a range for every quantized site",
                "calibrate this model again with octet calibrate");
  }

  const PlanRules& rules_;
  const StaticInputs& inputs_;
  std::vector<Rule> chosen_;
  std::vector<ModulePlan> plan_;
};

}  // namespace

PlanRules default_rules(const std::string& architecture, const std::string& scheme) {
  PlanRules rules;
  rules.architecture = architecture;
  rules.scheme = parse_scheme(scheme);
  return rules;
}

LayerRule parse_layer_rule(const std::string& text) {
  const size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0) {
    throw UsageError("--layer " + text, "REGEX=SCHEME", "e.g. --layer '.*down_proj=w8a16'");
  }
  return {text.substr(0, equals), parse_scheme(text.substr(equals + 1))};
}

bool is_projection(const std::string& architecture, const std::string& module) {
  const auto allowed = allowed_names(architecture);
  const std::string_view last = std::string_view(module).substr(module.rfind('.') + 1);
  return std::ranges::find(allowed, last) != allowed.end();
}

std::vector<ModulePlan> plan_modules(const Topology& topology, const PlanRules& rules,
                                     const StaticInputs& inputs) {
  return Planner(rules, inputs).run(topology);
}

int64_t stored_bytes(const Scheme& scheme, int64_t n, int64_t k) {
  if (!scheme.quantized()) return 2 * n * k;
  const auto& [element, group] = scheme.weight;
  const int64_t scales = 2 * n * (group > 0 ? k / group : 1);
  if (!scheme.weight_only()) return n * k + scales + (scheme.input.per_tensor() ? 2 : 0);
  constexpr int64_t kShape = 16;  // weight_shape: two int64
  return 4 * n * ((k * bits(element) + 31) / 32) + scales + kShape;
}

}  // namespace octet
