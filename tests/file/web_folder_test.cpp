// Paths of URLs against a folder: what is inside is had, and nothing else.
#include "file/web_folder.h"

#include <doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "file/folder.h"

using namespace sealwire;

namespace {

// root/ holds a.txt, sub/index.html, .hidden, "b c.txt", links and a FIFO; beside it lies secret.
struct Site {
    test::Folder outer;
    std::string root = outer.path() + "/root";

    Site() {
        mkdir(root.c_str(), 0700);
        mkdir((root + "/sub").c_str(), 0700);
        write(outer.path() + "/secret", "secret");
        write(root + "/a.txt", "aaa");
        write(root + "/b c.txt", "bc");
        write(root + "/.hidden", "hidden");
        write(root + "/sub/index.html", "<p>");
        CHECK(symlink("../secret", (root + "/link").c_str()) == 0);
        CHECK(symlink(outer.path().c_str(), (root + "/out").c_str()) == 0);
        CHECK(symlink("a.txt", (root + "/inside").c_str()) == 0);
        CHECK(mkfifo((root + "/fifo").c_str(), 0600) == 0);
    }
    static void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }
    Errc code(const std::string& path) const {
        const auto file = open_web_file(root, path);
        return file ? Errc::ok : file.error().code;
    }
    std::string text(const std::string& path) const {
        auto file = open_web_file(root, path);
        if (!file) return "none";
        std::string out(100, 0);
        out.resize((*file)->read({reinterpret_cast<uint8_t*>(out.data()), out.size()}));
        return out;
    }
};

}  // namespace

TEST_CASE("a file of the folder is had by its path, encoded or not, and an index by its folder") {
    const Site site;
    CHECK(site.text("/a.txt") == "aaa");
    CHECK(site.text("/%61%2Etxt") == "aaa");
    CHECK(site.text("/b%20c.txt") == "bc");
    CHECK(site.text("/sub/") == "<p>");
    CHECK(site.text("/sub/index.html") == "<p>");
    CHECK(site.code("/sub") == Errc::file_type);
    const auto file = open_web_file(site.root, "/sub/");
    REQUIRE(file);
    CHECK((*file)->type == "text/html; charset=utf-8");
    CHECK((*file)->size == 3);
}

TEST_CASE("no way of writing a path leads out of the folder, to hidden files, or through links") {
    const Site site;
    for (const std::string path : {"",
                                   "a.txt",
                                   "/../secret",
                                   "/sub/../../secret",
                                   "/%2e%2e/secret",
                                   "/.%2e/secret",
                                   "/%2e%2e%2fsecret",
                                   "/..%2fsecret",
                                   "/sub/%2e%2e/%2e%2e/secret",
                                   "/%252e%252e/secret",
                                   "/..\\secret",
                                   "/%5c..%5csecret",
                                   "/..%5csecret",
                                   "//etc/passwd",
                                   "/sub//index.html",
                                   "/./a.txt",
                                   "/%2e/a.txt",
                                   "/.hidden",
                                   "/%2ehidden",
                                   "/link",
                                   "/out/secret",
                                   "/inside",
                                   "/fifo",
                                   "/a.txt%00.html",
                                   "/%00",
                                   "/%",
                                   "/%2",
                                   "/%zz",
                                   "/a.txt/",
                                   "/sub/.",
                                   "/sub/..",
                                   "/\x01",
                                   "/a.txt%0a",
                                   "/%c0%ae%c0%ae/secret",
                                   "/%e0%80%ae%e0%80%ae/secret",
                                   "/....//secret",
                                   "/..;/secret"}) {
        CAPTURE(path);
        CHECK(site.code(path) == Errc::not_found);
    }
    CHECK(site.code("/" + std::string(300, 'a')) == Errc::not_found);
    std::string deep;
    for (int i = 0; i < 100; ++i) deep += "/sub";
    CHECK(site.code(deep) == Errc::not_found);
}

TEST_CASE("a link that is put in a folder's place while its path is walked is never followed") {
    const Site site;
    const std::string place = site.root + "/swap";
    const std::string aside = site.root + "/aside";
    mkdir(place.c_str(), 0700);
    Site::write(place + "/secret", "mine");
    CHECK(symlink(site.outer.path().c_str(), aside.c_str()) == 0);
    for (int i = 0; i < 200; ++i) {
        rename(place.c_str(), (place + "2").c_str());
        rename(aside.c_str(), place.c_str());
        CHECK(site.text("/swap/secret") == "none");
        rename(place.c_str(), aside.c_str());
        rename((place + "2").c_str(), place.c_str());
        CHECK(site.text("/swap/secret") == "mine");
    }
}
