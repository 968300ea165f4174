// octet calib show | merge: shows what a calibration store holds, and joins shards.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "calib/range.h"
#include "calib/store.h"
#include "core/error.h"
#include "report/table.h"
#include "tools/commands.h"

namespace octet {
namespace {

struct ShowOptions : Options {
  std::string store;
  double percentile = 99.99;
  void visit(OptionVisitor& v) override {
    v.positional("STORE", "an HDF5 file that octet calibrate wrote", store);
    v.field("percentile",
            "share of the values inside the range of the percentile column, in percent",
            percentile);
  }
};

class ShowCommand : public Command {
 public:
  std::string name() const override { return "calib show"; }
  std::string summary() const override {
    return "show the activation ranges in a calibration store";
  }
  std::vector<std::string> examples() const override { return {"octet calib show calib.h5"}; }
  Options& options() override { return options_; }
  int run(const CommonOptions& common, Context&) override {
    const CalibrationStore store = load_calibration(options_.store);
    nlohmann::json sites = nlohmann::json::object();
    TextTable table(std::vector<TextTable::Column>{{"site", Align::kLeft},
                                                   {"tokens", Align::kRight},
                                                   {"absmax", Align::kRight},
                                                   {"percentile", Align::kRight},
                                                   {"mse", Align::kRight},
                                                   {"entropy", Align::kRight}});
    for (const auto& [name, site] : store.sites) {
      nlohmann::json ranges;
      std::vector<TextTable::Cell> row = {name, fmt::format("{}", site.token_count())};
      for (const RangeMethod method : {RangeMethod::kAbsmax, RangeMethod::kPercentile,
                                       RangeMethod::kMse, RangeMethod::kEntropy}) {
        const double range = find_range(site.values, method, options_.percentile);
        ranges[octet::name(method)] = range;
        row.emplace_back(fmt::format("{:.4g}", range));
      }
      sites[name] = {{"tokens", site.token_count()}, {"channels", site.k()}, {"ranges", ranges}};
      table.add(row);
    }
    const auto provenance = nlohmann::json::parse(store.provenance, nullptr, false);
    if (common.json) {
      fmt::print("{}\n", nlohmann::json{{"provenance", provenance},
                                        {"units", store.units},
                                        {"units_total", store.units_total},
                                        {"sites", sites}}
                             .dump());
    } else {
      fmt::print("{}\n{} of {} units\n{}", store.provenance, store.units.size(), store.units_total,
                 table.text());
    }
    return 0;
  }

 private:
  ShowOptions options_;
};

struct MergeOptions : Options {
  std::vector<std::string> stores;
  std::string out;
  void visit(OptionVisitor& v) override {
    v.positional("STORE", "shards of one calibration, in any order", stores);
    v.field("out", "HDF5 file to write", out);
  }
};

class MergeCommand : public Command {
 public:
  std::string name() const override { return "calib merge"; }
  std::string summary() const override {
    return "merge the shards of one calibration; the result equals that of a single run";
  }
  std::vector<std::string> examples() const override {
    return {"octet calib merge calib-0.h5 calib-1.h5 --out calib.h5"};
  }
  Options& options() override { return options_; }
  int run(const CommonOptions& common, Context&) override {
    require_option(options_.out, "out", "a file to write");
    const CalibrationStore store = merge_files({options_.stores.begin(), options_.stores.end()});
    save(store, options_.out);
    if (common.json) {
      fmt::print("{}\n",
                 nlohmann::json{{"file", options_.out}, {"units", store.units.size()}}.dump());
    } else {
      fmt::print("wrote: {} ({} units of {} shards)\n", options_.out, store.units.size(),
                 options_.stores.size());
    }
    return 0;
  }

 private:
  MergeOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_calib_show_command() {
  return std::make_unique<ShowCommand>();
}
std::unique_ptr<Command> make_calib_merge_command() {
  return std::make_unique<MergeCommand>();
}

}  // namespace octet
