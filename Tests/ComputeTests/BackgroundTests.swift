import Compute
import Diagnostics
import Testing

@Suite("Values from a thread of their own")
struct BackgroundTests {
  @Test("A value comes however often it is asked for") func value() throws {
    let sum = Background { (1...1000).reduce(0, +) }
    #expect(try sum.value() == 500_500)
    #expect(try sum.value() == 500_500)
  }

  @Test("An error comes to whoever asks") func error() {
    let failure = Failure(.noInput, "a.h5", "no such file")
    let failing = Background<Int> { throw failure }
    #expect(throws: failure) { try failing.value() }
  }
}
