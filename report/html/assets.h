// Files that are part of the program: put into it by cmake/Embed.cmake.
#pragma once
#include <string_view>

namespace octet::html {

/// Chart.js as Debian's libjs-chart.js ships it; empty if it was not found when octet was built.
std::string_view chart_js();
std::string_view page_js();   ///< page.js
std::string_view page_css();  ///< page.css

}  // namespace octet::html
