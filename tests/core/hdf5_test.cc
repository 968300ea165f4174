#include "core/containers/hdf5.h"

#include <hdf5.h>

#include <cmath>
#include <numeric>

#include "tests/core/support.h"

namespace octet {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using testing::get;
using ::testing::HasSubstr;
using testing::put;
using testing::TempDir;

void write_sample(const std::filesystem::path& path) {
  Hdf5Writer out(path);
  out.attribute("/", "version", int64_t{-3});
  out.attribute("/", "empty", std::string());
  out.attribute("/layers", "method", std::string("ünïcode"));
  out.attribute("/layers", "scale", 0.1);
  const std::vector<float> floats{1.5F, -0.0F, INFINITY, 3, 4, 5};
  out.dataset("/layers/0/amax", floats, {2, 3});
  out.dataset("/layers/0/sum", std::vector<double>{1e300, -2}, {2});
  out.dataset("/layers/1/counts", std::vector<int64_t>{INT64_MIN, 0, INT64_MAX}, {3, 1});
  out.dataset("/none", std::vector<float>{}, {0, 4});
  out.commit();
}

TEST(Hdf5, RoundTrip) {
  const TempDir dir;
  write_sample(dir / "a.h5");
  const Hdf5Reader in(dir / "a.h5");
  EXPECT_EQ(in.integer("/", "version"), -3);
  EXPECT_EQ(in.text("/", "empty"), "");
  EXPECT_EQ(in.text("/layers", "method"), "ünïcode");
  EXPECT_EQ(in.real("/layers", "scale"), 0.1);
  EXPECT_THAT(in.children("/"), ElementsAre("layers", "none"));
  EXPECT_THAT(in.children("/layers"), ElementsAre("0", "1"));
  EXPECT_THAT(in.shape("/layers/0/amax"), ElementsAre(2, 3));
  const auto floats = in.floats("/layers/0/amax");
  EXPECT_THAT(floats, ElementsAre(1.5F, 0.0F, INFINITY, 3, 4, 5));
  EXPECT_TRUE(std::signbit(floats[1]));
  EXPECT_THAT(in.doubles("/layers/0/sum"), ElementsAre(1e300, -2));
  EXPECT_THAT(in.integers("/layers/1/counts"), ElementsAre(INT64_MIN, 0, INT64_MAX));
  EXPECT_THAT(in.shape("/none"), ElementsAre(0, 4));
  EXPECT_TRUE(in.floats("/none").empty());
  EXPECT_TRUE(in.has("/layers/0"));
  EXPECT_FALSE(in.has("/layers/2"));
  EXPECT_FALSE(in.has("/none/below"));
}

TEST(Hdf5, LargeDatasetsAndTexts) {
  const TempDir dir;
  std::vector<float> values(3 * 1000 * 257);
  std::iota(values.begin(), values.end(), 0.0F);
  const std::string text(200'000, 'x');
  {
    Hdf5Writer out(dir / "a.h5");
    out.dataset("/big", values, {3, 1000, 257});
    out.attribute("/", "json", text);
    out.commit();
  }
  const Hdf5Reader in(dir / "a.h5");
  EXPECT_EQ(in.floats("/big"), values);
  EXPECT_EQ(in.text("/", "json"), text);
}

TEST(Hdf5, WithoutCommitNothingIsLeft) {
  const TempDir dir;
  {
    Hdf5Writer out(dir / "a.h5");
    out.dataset("/x", std::vector<float>{1}, {1});
  }
  EXPECT_TRUE(dir.empty());
}

TEST(Hdf5, WriterRefusesWrongUse) {
  const TempDir dir;
  Hdf5Writer out(dir / "a.h5");
  const std::vector<float> two{1, 2};
  EXPECT_THAT(error_of([&] { out.dataset("/x", two, {3}); }), HasSubstr("[3] for 2 values of /x"));
  EXPECT_THAT(error_of([&] { out.dataset("/x", two, {}); }), HasSubstr("at least one dimension"));
  EXPECT_THAT(error_of([&] { out.dataset("/x", two, {-1, -2}); }), HasSubstr("shape"));
  EXPECT_THAT(error_of([&] { out.dataset("/x", two, {INT64_MAX, 4, 2}); }), HasSubstr("shape"));
  EXPECT_THAT(error_of([&] { out.dataset("x", two, {2}); }), HasSubstr("a path like"));
  EXPECT_THAT(error_of([&] { out.dataset("/a//x", two, {2}); }), HasSubstr("a path like"));
  EXPECT_THAT(error_of([&] { out.dataset("/a/../x", two, {2}); }), HasSubstr("a path like"));
  EXPECT_THAT(error_of([&] { out.dataset("/", two, {2}); }), HasSubstr("a path like"));
  out.dataset("/x", two, {2});
  EXPECT_THAT(error_of([&] { out.dataset("/x", two, {2}); }), HasSubstr("could not create /x"));
  EXPECT_THAT(error_of([&] { Hdf5Writer(dir / "no/a.h5"); }), HasSubstr("no/a.h5"));
}

TEST(Hdf5, ReaderChecksTypes) {
  const TempDir dir;
  write_sample(dir / "a.h5");
  const Hdf5Reader in(dir / "a.h5");
  EXPECT_THAT(error_of([&] { in.doubles("/layers/0/amax"); }), HasSubstr("float64"));
  EXPECT_THAT(error_of([&] { in.floats("/layers/1/counts"); }), HasSubstr("float32"));
  EXPECT_THAT(error_of([&] { in.integers("/layers/0/sum"); }), HasSubstr("int64"));
  EXPECT_THAT(error_of([&] { in.floats("/layers"); }), HasSubstr("a dataset"));
  EXPECT_THAT(error_of([&] { in.children("/none"); }), HasSubstr("a group"));
  EXPECT_THAT(error_of([&] { in.floats("/gone"); }), HasSubstr("no /gone"));
  EXPECT_THAT(error_of([&] { in.integer("/layers", "method"); }), HasSubstr("int64"));
  EXPECT_THAT(error_of([&] { in.real("/", "version"); }), HasSubstr("float64"));
  EXPECT_THAT(error_of([&] { in.text("/", "version"); }), HasSubstr("a text"));
  EXPECT_THAT(error_of([&] { in.text("/", "gone"); }), HasSubstr("no attribute gone of /"));
}

// What can be reached in the sample, read.
void read_all(const std::filesystem::path& path) {
  const Hdf5Reader in(path);
  in.text("/layers", "method");
  in.integer("/", "version");
  for (const auto& name : in.children("/")) in.has("/" + name);
  in.floats("/layers/0/amax");
  in.doubles("/layers/0/sum");
  in.integers("/layers/1/counts");
}

TEST(Hdf5, EveryTruncationIsAnError) {
  const TempDir dir;
  write_sample(dir / "a.h5");
  const std::string whole = get(dir / "a.h5");
  ASSERT_GT(whole.size(), 1000U);
  ::testing::internal::CaptureStderr();
  for (size_t size = 0; size < whole.size(); size += 61) {
    put(dir / "b.h5", whole.substr(0, size));
    EXPECT_THROW(read_all(dir / "b.h5"), Error) << size;
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "") << "HDF5 printed its error stack";
}

TEST(Hdf5, CorruptedBytesAreErrorsOrHarmless) {
  const TempDir dir;
  write_sample(dir / "a.h5");
  const std::string whole = get(dir / "a.h5");
  int errors = 0;
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string broken = whole;
    broken[at] = static_cast<char>(broken[at] ^ 0x5a);
    put(dir / "b.h5", broken);
    try {
      read_all(dir / "b.h5");
    } catch (const Error&) {
      ++errors;
    }
  }
  EXPECT_GT(errors, 500);
}

TEST(Hdf5, FlippedDataFailTheirChecksum) {
  const TempDir dir;
  {
    Hdf5Writer out(dir / "a.h5");
    out.dataset("/x", std::vector<int64_t>(100, 0x1122334455667788), {100});
    out.commit();
  }
  std::string bytes = get(dir / "a.h5");
  const auto at = bytes.find("\x88\x77\x66\x55");
  ASSERT_NE(at, std::string::npos);
  bytes[at] ^= 1;
  put(dir / "a.h5", bytes);
  const Hdf5Reader in(dir / "a.h5");
  EXPECT_THAT(error_of([&] { in.integers("/x"); }), HasSubstr("could not read /x"));
}

// Files that octet does not write, made with the C library itself.
class Hdf5Foreign : public ::testing::Test {
 protected:
  void SetUp() override {
    file_ = H5Fcreate(path().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  }
  std::filesystem::path path() const { return dir_ / "a.h5"; }
  void dataset(hid_t layout, std::vector<hsize_t> shape) {
    const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
    const hid_t made =
        H5Dcreate2(file_, "x", H5T_IEEE_F32LE, space, H5P_DEFAULT, layout, H5P_DEFAULT);
    EXPECT_GE(made, 0);
    H5Dclose(made);
    H5Sclose(space);
  }
  std::string refusal() {
    H5Fclose(file_);
    const Hdf5Reader in(path());
    return error_of([&] { in.floats("/x"); });
  }
  TempDir dir_;
  hid_t file_ = -1;
};

TEST_F(Hdf5Foreign, AbsurdExtentIsRefusedBeforeAllocation) {
  const hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t chunk[] = {16, 1};
  H5Pset_chunk(layout, 2, chunk);
  dataset(layout, {hsize_t{1} << 40, hsize_t{1} << 20});
  EXPECT_THAT(refusal(), HasSubstr("the extent of /x"));
}

TEST_F(Hdf5Foreign, AbsurdChunkIsRefused) {
  const hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t chunk = hsize_t{1} << 29, most = H5S_UNLIMITED, few = 8;
  H5Pset_chunk(layout, 1, &chunk);
  const hid_t space = H5Screate_simple(1, &few, &most);
  const hid_t made =
      H5Dcreate2(file_, "x", H5T_IEEE_F32LE, space, H5P_DEFAULT, layout, H5P_DEFAULT);
  ASSERT_GE(made, 0);
  H5Dclose(made);
  EXPECT_THAT(refusal(), HasSubstr("the chunks of /x"));
}

TEST_F(Hdf5Foreign, CompressionIsRefused) {
  const hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t chunk = 8;
  H5Pset_chunk(layout, 1, &chunk);
  H5Pset_deflate(layout, 9);
  dataset(layout, {8});
  EXPECT_THAT(refusal(), HasSubstr("a filter on /x"));
}

TEST_F(Hdf5Foreign, ExternalStorageIsRefused) {
  const hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_external(layout, "/etc/passwd", 0, 32);
  dataset(layout, {8});
  EXPECT_THAT(refusal(), HasSubstr("the storage of /x"));
}

TEST_F(Hdf5Foreign, ExternalLinkIsRefused) {
  H5Lcreate_external("other.h5", "/x", file_, "x", H5P_DEFAULT, H5P_DEFAULT);
  EXPECT_THAT(refusal(), HasSubstr("a soft or external link"));
}

TEST(Hdf5Oracle, H5pyOpensWhatWeWrite) {
  const TempDir dir;
  write_sample(dir / "a.h5");
  testing::run_python("hdf5_oracle.py", (dir / "a.h5").string());
}

}  // namespace
}  // namespace octet
