import Files
import Testing

@Suite("Shares of work")
struct WorkShareTests {
  @Test("i/n is read and written") func text() throws {
    let share = try #require(WorkShare("2/5"))
    #expect(share.index == 2 && share.count == 5 && share.description == "2/5")
    #expect(WorkShare("1/1") != nil)
    #expect(WorkShare(2, of: 5) == share)
  }

  @Test(
    "Anything else is no share",
    arguments: ["", "1", "0/3", "4/3", "1/0", "-1/2", "a/3", "1/b", "1/3/3", "1/", "/3", "1/1048577"])
  func refused(_ text: String) { #expect(WorkShare(text) == nil) }
}
