#include "report/report.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/io/atomic_file.h"
#include "core/json.h"
#include "tools/commands.h"

namespace octet {
namespace {

struct ReportOptions : Options {
  std::string report, out;
  void visit(OptionVisitor& v) override {
    v.positional("REPORT", "a report.json that octet run wrote, or its directory", report);
    v.field("out", "HTML page to write, e.g. report.html", out);
  }
};

class ReportCommand : public Command {
 public:
  std::string name() const override { return "report"; }
  std::string summary() const override {
    return "print a finished report again, or write its HTML page, from report.json";
  }
  std::vector<std::string> examples() const override {
    return {"octet report report/report.json", "octet report report --out page.html"};
  }
  Options& options() override { return options_; }
  int run(const CommonOptions& common, Context& context) override {
    namespace fs = std::filesystem;
    const fs::path given = options_.report;
    const std::string path = fs::is_directory(given) ? given / "report.json" : given;
    const Report report = report_from_json(read_json(path), path);
    if (!options_.out.empty()) {
      write_file(options_.out, report_html(report));
      context.log.info("page: " + options_.out);
    }
    if (common.json) {
      fmt::print("{}\n", report_json(report).dump(2));
    } else {
      fmt::print("{}", report_text(report));
    }
    return 0;
  }

 private:
  ReportOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_report_command() {
  return std::make_unique<ReportCommand>();
}

}  // namespace octet
