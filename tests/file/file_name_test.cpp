// Names that peers state: what becomes a file, and that nothing ever becomes one elsewhere.
#include "file/file_name.h"

#include <doctest.h>

#include <string>
#include <vector>

#include "file/saved_file.h"
#include "folder.h"

using namespace sealwire;
using sealwire::test::Folder;

namespace {

bool right(std::string_view name) { return static_cast<bool>(check_file_name(name)); }

// Paths out of a folder, as scanners write them: each separator, look-alikes and encodings of it, depths and targets.
std::vector<std::string> hostile_names() {
    const std::vector<std::string> dots = {"..",
                                           ".",
                                           "...",
                                           "%2e%2e",
                                           "%252e%252e",
                                           "\xc0\xae\xc0\xae",
                                           "\xef\xbc\x8e\xef\xbc\x8e",
                                           ".%00.",
                                           "..\x01",
                                           "..;",
                                           "\xe2\x80\xa4\xe2\x80\xa4",
                                           "..%c0%af"};
    const std::vector<std::string> slashes = {
        "/",        "\\",           "//",           "\\\\",         "/\\",          "%2f", "%5c",         "%252f",
        "\xc0\xaf", "\xe0\x80\xaf", "\xe2\x88\x95", "\xef\xbc\x8f", "\xe2\x81\x84", ":",   "\xef\xbc\xbc"};
    const std::vector<std::string> targets = {"etc/passwd",           "boot.ini", "x",       "con",
                                              ".ssh/authorized_keys", "a\nb",     "LPT1.txt"};
    std::vector<std::string> names;
    for (const std::string& dot : dots) {
        for (const std::string& slash : slashes) {
            for (int depth = 1; depth <= 4; ++depth) {
                std::string up;
                for (int i = 0; i < depth; ++i) up += dot + slash;
                for (const std::string& target : targets) names.push_back(up + target);
            }
        }
    }
    return names;
}

}  // namespace

TEST_CASE("ordinary names are taken") {
    for (const char* name :
         {"a", "report.pdf", ".profile", "...a", "a..b", "con-fig", "console", "com", "com10", "lpt", "nul0",
          "\xc3\xa9t\xc3\xa9.txt", "\xe6\x96\x87\xe4\xbb\xb6", "\xf0\x9f\x93\x84", "a b", "-rf", "~", "$HOME", "%2f"}) {
        CAPTURE(name);
        CHECK(right(name));
    }
    CHECK(right(std::string(255, 'x')));
}

TEST_CASE("what is no single component of a path, or is none elsewhere, is refused") {
    using namespace std::string_view_literals;
    for (const std::string_view name : {""sv,
                                        "."sv,
                                        ".."sv,
                                        "/"sv,
                                        "a/b"sv,
                                        "a\\b"sv,
                                        "c:"sv,
                                        "a:stream"sv,
                                        "a\0b"sv,
                                        "a\nb"sv,
                                        "\x1f"sv,
                                        "\x7f"sv,
                                        "a."sv,
                                        "a "sv,
                                        "CON"sv,
                                        "con"sv,
                                        "Con.txt"sv,
                                        "con .txt"sv,
                                        "aux.tar.gz"sv,
                                        "NUL"sv,
                                        "prn"sv,
                                        "com0"sv,
                                        "COM9.log"sv,
                                        "lpt5"sv,
                                        "com\xc2\xb9"sv,
                                        "conin$"sv,
                                        "CONOUT$.x"sv,
                                        "\xff"sv,
                                        "\xc0\xae"sv,
                                        "\xed\xa0\x80"sv,
                                        "a\xe2"sv,
                                        "\xf4\x90\x80\x80"sv,
                                        "gpj\xe2\x80\xae.exe"sv,
                                        "a\xe2\x81\xa6"sv,
                                        "a\xe2\x80\xa8"sv,
                                        "a\xc2\x85"sv}) {
        CAPTURE(name);
        CHECK_FALSE(right(name));
    }
    CHECK_FALSE(right(std::string(256, 'x')));
}

TEST_CASE("of 5,000 hostile names, those that are taken stay in their folder") {
    const Folder outer;
    const std::string inner = outer.of("inner");
    ::mkdir(inner.c_str(), 0700);
    const std::vector<std::string> names = hostile_names();
    size_t refused = 0;
    for (const std::string& name : names) {
        if (!right(name)) {
            ++refused;
            continue;
        }
        auto file = SavedFile::create(inner, name, 1, 0, 0666);
        REQUIRE(file);
        REQUIRE(file->flush());
        REQUIRE(file->publish());
        REQUIRE(::access((inner + "/" + name).c_str(), F_OK) == 0);
        ::unlink((inner + "/" + name).c_str());
    }
    MESSAGE(names.size(), " names, ", refused, " refused");
    CHECK(names.size() >= 5000);
    CHECK(refused > names.size() / 2);
    CHECK(outer.names() == std::vector<std::string>{"inner"});
    std::error_code ignored;
    CHECK(std::filesystem::is_empty(inner, ignored));
}
