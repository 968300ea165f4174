// Errors a user reads: what was found, what was expected, what to do. Only tools/octet.cc catches
// all.
#pragma once
#include <stdexcept>
#include <string>

namespace octet {

/// A failure with any other cause than the command line: exit code 1. what() is one line.
class Error : public std::runtime_error {
 public:
  Error(const std::string& found, const std::string& expected, const std::string& remedy);
  const std::string& found() const { return found_; }
  const std::string& expected() const { return expected_; }
  const std::string& remedy() const { return remedy_; }

 private:
  std::string found_, expected_, remedy_;
};

/// The command line was wrong: exit code 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// SIGINT or SIGTERM was received: exit code 130. what() says how to resume.
class Interrupted : public std::runtime_error {
 public:
  explicit Interrupted(const std::string& how_to_resume);
};

}  // namespace octet
