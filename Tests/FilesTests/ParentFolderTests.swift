import Files
import Testing

@Suite("The folder that holds a path")
struct ParentFolderTests {
  @Test(
    "of names, relative and absolute paths, however short",
    arguments: [
      ("x", ""), ("", ""), ("x/", ""), (".", ""), ("é", ""), ("/", "/"), ("//", "/"), ("/x", "/"), ("//x//", "/"),
      ("a/b", "a"), ("a/b/", "a"), ("a//b", "a"), ("./x", "."), ("../x", ".."), ("/a/b/c.h5", "/a/b"), ("日/本", "日"),
    ])
  func folders(path: String, folder: String) { #expect(path.parentFolder == folder, "\(path)") }
}
