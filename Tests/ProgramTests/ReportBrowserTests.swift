import Foundation
import TestSupport
import Testing

/// Debian's Chromium without a window.
enum Browser {
  /// The program; nil where it is not installed.
  static let path: String? = {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    return folders.map { "\($0)/chromium" }.first { FileManager.default.isExecutableFile(atPath: $0) }
  }()

  /// Whether a run without it counts as failed: `pipeline/test` installs it.
  static let isRequired = ProcessInfo.processInfo.environment["SID_REQUIRE_BROWSER"] != nil

  /// What a page is in a window of some width.
  struct Look: Decodable, Sendable {
    /// The window's inner width, and that of the content.
    let inner: Int
    let scroll: Int
    /// Elements that stick out on the right.
    let wide: [String]
    let images: Int
    /// Images that were not decoded.
    let broken: Int
    /// What was requested.
    let requests: [String]
    /// Sources and links that lead elsewhere, scripts, frames, event handlers.
    let foreign: [String]
    /// The smallest size of a letter.
    let smallestText: Double
    /// Colors of the page's paper and ink.
    let colors: [String]
  }

  /// Opens a page in frames of some widths, and looks at it. A frame is as narrow as it is told to be; a window is not.
  static func look(_ page: String, widths: [Int], dark: Bool = false) throws -> [Look] {
    let folder = try TemporaryFolder()
    let frames = widths.map { "<iframe src=\"file://\(page)\" style=\"width:\($0)px;height:900px;border:0\"></iframe>" }
    let wrapper = "<!DOCTYPE html><meta charset=utf-8><pre id=out></pre>\(frames.joined())<script>\(script)</script>"
    try Data(wrapper.utf8).write(to: URL(fileURLWithPath: folder.file("look.html")))
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
    process.arguments = [
      "--kill-after=5", "120", try #require(path), "--headless", "--no-sandbox", "--disable-gpu",
      "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-extensions", "--allow-file-access-from-files",
      "--user-data-dir=\(folder.file("profile"))", "--host-resolver-rules=MAP * ~NOTFOUND", "--window-size=1600,1000",
      "--blink-settings=preferredColorScheme=\(dark ? 0 : 1)", "--dump-dom", "file://\(folder.file("look.html"))",
    ]
    for name in ["out", "err"] { try Data().write(to: URL(fileURLWithPath: folder.file(name))) }
    process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: folder.file("out")))
    process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: folder.file("err")))
    process.standardInput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    func text(_ name: String) -> String { (try? String(contentsOfFile: folder.file(name), encoding: .utf8)) ?? "" }
    let found =
      text("out").components(separatedBy: "<pre id=\"out\">").dropFirst().first?
      .components(separatedBy: "</pre>").first ?? ""
    try #require(found.hasPrefix("["), "chromium ended with \(process.terminationStatus): \(text("err").suffix(2000))")
    let json = found.replacing("&lt;", with: "<").replacing("&gt;", with: ">").replacing("&amp;", with: "&")
    return try JSONDecoder().decode([Look].self, from: Data(json.utf8))
  }

  private static let script = """
    function look(frame) {
      const w = frame.contentWindow, d = frame.contentDocument, all = [...d.querySelectorAll('*')];
      const name = e => e.outerHTML.slice(0, 100);
      const shown = [...d.body.querySelectorAll('*')].filter(e => e.getClientRects().length);
      const texts = shown.filter(e => [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()));
      const size = e => parseFloat(w.getComputedStyle(e).fontSize)
        * (e.ownerSVGElement ? e.ownerSVGElement.getBoundingClientRect().width / e.ownerSVGElement.viewBox.baseVal.width : 1);
      return {
        inner: w.innerWidth, scroll: d.documentElement.scrollWidth,
        wide: shown.filter(e => e.getBoundingClientRect().right > w.innerWidth + 0.5).map(name),
        images: d.images.length, broken: [...d.images].filter(i => !i.complete || i.naturalWidth == 0).length,
        requests: w.performance.getEntriesByType('resource').map(r => r.name).filter(n => !n.startsWith('data:')),
        foreign: all.filter(e => ['SCRIPT', 'IFRAME', 'OBJECT', 'EMBED', 'FORM'].includes(e.tagName)
          || [...e.attributes].some(a => a.name.startsWith('on') || (['src', 'href', 'srcset'].includes(a.name)
            && !a.value.startsWith('data:') && !a.value.startsWith('#')))).map(name),
        smallestText: Math.min(...texts.map(size)),
        colors: [w.getComputedStyle(d.body).backgroundColor, w.getComputedStyle(d.body).color],
      };
    }
    onload = () => {
      const out = document.getElementById('out');
      out.textContent = JSON.stringify([...document.querySelectorAll('iframe')].map(look));
    };
    """
}

@Suite("The report in a browser", .serialized)
struct ReportBrowserTests {
  private static let widths = [360, 1440]

  @Test("The browser is there where it has to be")
  func isInstalled() {
    #expect(
      Browser.path != nil || !Browser.isRequired, "chromium is not in PATH; pipeline/prepare chromium installs it")
  }

  @Test(
    "fits into 360 and 1440 pixels, shows every image and asks for nothing, with hostile files or without",
    .enabled(if: Browser.path != nil, "chromium is not in PATH"), arguments: [false, true])
  func fits(isHostile: Bool) throws {
    let job = try ReportFixture()
    try job.writeDistillation()
    try job.writeTraining()
    if isHostile { try job.writeHostileFiles() }
    try #require(try job.report("--dataset", Fixtures.digits("digits-8x8.zip")).status == 0)
    let looks = try Browser.look(job.page, widths: Self.widths)
    #expect(looks.map(\.inner) == Self.widths)
    for look in looks {
      #expect(look.scroll <= look.inner && look.wide.isEmpty, "\(look.inner): \(look.wide)")
      #expect(look.images >= 60 + 10 * 6 + 6 * 9 + 24 * 8 + 8 * 2 && look.broken == 0)
      #expect(look.requests.isEmpty && look.foreign.isEmpty, "\(look.requests) \(look.foreign)")
      #expect(look.smallestText >= 10.5, "\(look.inner)")
    }
    let dark = try Browser.look(job.page, widths: [360], dark: true)
    #expect(dark.first?.colors == ["rgb(18, 20, 23)", "rgb(227, 229, 232)"] && looks[0].colors != dark.first?.colors)
  }

  @Test("notices a page that does not fit", .enabled(if: Browser.path != nil, "chromium is not in PATH"))
  func control() throws {
    let job = try ReportFixture()
    try #require(try job.report().status == 0)
    let spoiled = try job.html().replacing(
      "</main>",
      with: "<p style=\"width:500px\">wide</p><img src=\"data:image/png;base64,AAAA\" alt=\"\"><script></script></main>"
    )
    .replacing("default-src 'none'; img-src data:", with: "default-src * data:; img-src * data:")
    .replacing("</body>", with: "<img src=\"http://127.0.0.1:9/x.png\" alt=\"\"></body>")
    try job.write(spoiled, to: "spoiled.html")
    let looks = try Browser.look(job.folder.file("spoiled.html"), widths: Self.widths)
    #expect(looks[0].scroll > 360 && !looks[0].wide.isEmpty && looks[1].wide.isEmpty)
    #expect(looks.allSatisfy { $0.broken == 2 && $0.foreign.count == 2 && !$0.requests.isEmpty })
  }
}
