#include "report/report.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/io/atomic_file.h"

namespace octet {

void write_report(const Report& report, const std::string& folder) {
  const std::string json = report_json(report).dump(2) + "\n";
  const std::string markdown = report_markdown(report), html = report_html(report);
  const std::filesystem::path path = folder;
  write_file(path / "report.json", json);
  write_file(path / "report.md", markdown);
  write_file(path / "report.html", html);
}

}  // namespace octet
