import Diagnostics
import Files
import Glibc
import Testing

@Suite("Names of users")
struct UsersTests {
  @Test("The superuser has a name; a user whom nobody knows has a number")
  func known() throws {
    #expect(try Users.name(0) == "root")
    #expect(try Users.name(3_999_999_999) == "3999999999")
  }

  @Test("No name is passed over because it could not be looked up", arguments: [EIO, EMFILE, ENFILE, ENOMEM])
  func lookup(error: Int32) throws {
    /// The name, given what each lookup and the opening of the file end with.
    func name(_ lookups: [(String?, Int32)], file: Int32 = 0) throws -> String {
      var left = lookups[...]
      return try Users.name(7, asking: { _ in left.popFirst() ?? (nil, 0) }, readingFile: { file })
    }
    #expect(try name([("ann", 0)], file: error) == "ann")
    #expect(try name([(nil, 0), ("ann", 0)]) == "ann")
    #expect(try name([(nil, 0), (nil, 0)]) == "7")
    #expect(try name([(nil, ENOENT), (nil, ESRCH)], file: ENOENT) == "7")
    for (lookups, file): ([(String?, Int32)], Int32) in [
      ([(nil, error)], 0), ([(nil, 0)], error), ([(nil, 0), (nil, error)], 0),
    ] {
      let failure = #expect(throws: Failure.self) { try name(lookups, file: file) }
      #expect(failure?.status == .temporaryFailure)
    }
    #expect(Users.shown(0) == "root")
  }
}
