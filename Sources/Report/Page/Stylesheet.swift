/// The style of the page: one column of sections whose headings stand beside them where there is room, one accent color, light
/// and dark by the reader's preference, black on white in print.
enum Stylesheet {
  static let text: HTML = """
    :root{color-scheme:light dark;--paper:#fcfcfa;--ink:#1c1e22;--soft:#5f6670;--line:#e0e1dc;--tint:#f3f3ef;
    --accent:#1f62b2;--cell:2.5rem;
    --l0:#4b3fa7;--l1:#2f5bb7;--l2:#1f77b4;--l3:#0f7f8f;--l4:#1d8560;--l5:#4d7d1e;--l6:#857000;--l7:#b0601a;--l8:#c0392b}
    @media (prefers-color-scheme:dark){:root{--paper:#121417;--ink:#e3e5e8;--soft:#9aa1ab;--line:#2a2e34;
    --tint:#1a1d21;--accent:#82b4f0;
    --l0:#b3a6f7;--l1:#95b3f7;--l2:#74bdf0;--l3:#5fcbd6;--l4:#62d1a2;--l5:#a2d160;--l6:#d8c352;--l7:#f0a95c;--l8:#f58b7c}}
    *{box-sizing:border-box}
    html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
    body{margin:0;background:var(--paper);color:var(--ink);overflow-wrap:anywhere;
    font:1rem/1.55 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
    main,header,footer{max-width:78rem;margin:0 auto;padding:0 clamp(1rem,4vw,3rem)}
    h1,h2,h3,p,dl,dd,figure,table,pre{margin:0}
    h1{font-size:clamp(2.1rem,5vw,3.4rem);line-height:1.08;letter-spacing:-.025em;font-weight:650}
    h2{font-size:1.15rem;line-height:1.3;letter-spacing:-.01em;font-weight:650}
    h3{font-size:1rem;font-weight:600;line-height:1.4}
    a{color:var(--accent);text-underline-offset:.18em}
    code,pre,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.86em}
    header{padding-top:clamp(2rem,6vw,4.5rem)}
    .eyebrow{color:var(--accent);font-size:.8rem;font-weight:600;letter-spacing:.08em;text-transform:uppercase;
    margin-bottom:.75rem}
    .lead{font-size:clamp(1.05rem,2vw,1.25rem);line-height:1.5;color:var(--soft);max-width:46rem;margin-top:1rem}
    .lead strong{color:var(--ink);font-weight:600}
    .figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:1.25rem 2rem;
    margin:2.25rem 0 2.5rem;padding-top:1.25rem;border-top:2px solid var(--ink)}
    .figures div{display:flex;flex-direction:column-reverse;justify-content:flex-end}
    .figures dt{font-size:.84rem;line-height:1.35;color:var(--soft);margin-top:.3rem}
    .figures dd{font-size:1.75rem;white-space:nowrap;line-height:1.1;font-weight:600;letter-spacing:-.02em;
    font-variant-numeric:tabular-nums}
    .figures .main dd{color:var(--accent)}
    .figures small{font-size:.9rem;font-weight:400;color:var(--soft);letter-spacing:0;white-space:nowrap}
    nav{display:flex;flex-wrap:wrap;gap:.35rem 1.25rem;font-size:.9rem;margin:1.5rem 0 0}
    nav a{text-decoration:none}nav a:hover{text-decoration:underline}
    section{border-top:1px solid var(--line);margin-top:2.75rem;padding-top:1.4rem}
    section>.about{margin-bottom:1.25rem}
    .about p{font-size:.88rem;line-height:1.5;color:var(--soft);margin-top:.5rem;max-width:40rem}
    .body>*+*{margin-top:1.5rem}
    @media (min-width:62rem){section{display:grid;grid-template-columns:15rem minmax(0,1fr);column-gap:3rem}
    section>.about{margin:0}}
    .note{color:var(--soft);font-size:.92rem}
    .missing{border-left:3px solid var(--accent);background:var(--tint);padding:.7rem 1rem;font-size:.92rem}
    .missing ul{margin:.3rem 0 0;padding-left:1.1rem}
    img{display:block;width:100%;height:auto;image-rendering:pixelated;background:var(--tint)}
    .sheet{display:grid;grid-template-columns:repeat(auto-fill,minmax(var(--cell),1fr));gap:3px}
    .medium{--cell:3.5rem}.large{--cell:4.75rem}
    .medium img,.large img{image-rendering:auto}
    figcaption,caption{font-size:.84rem;line-height:1.45;color:var(--soft);text-align:left}
    figcaption{margin-top:.6rem}caption{caption-side:top;padding-bottom:.6rem}
    .strip{display:grid;grid-auto-flow:column;grid-auto-columns:minmax(0,1fr);gap:3px}
    .strips{display:grid;gap:1.25rem 1.75rem;
    grid-template-columns:repeat(auto-fill,minmax(min(100%,22rem),1fr))}
    .strips figcaption{margin-top:.35rem}
    .pairs{display:grid;grid-template-columns:repeat(auto-fill,minmax(8.5rem,1fr));gap:1.5rem 1.25rem}
    .pairs .two{display:grid;grid-template-columns:1fr 1fr;gap:3px}
    .pairs strong{color:var(--ink);font-weight:600;font-variant-numeric:tabular-nums}
    table{border-collapse:collapse;width:100%;font-size:.92rem;line-height:1.45}
    th,td{text-align:left;vertical-align:top;padding:.5rem 1rem .5rem 0;border-top:1px solid var(--line);font-weight:400}
    thead th{border-top:0;border-bottom:1px solid var(--soft);color:var(--soft);font-size:.8rem;padding-top:0}
    tbody tr:first-child>*{border-top:0}
    th:last-child,td:last-child{padding-right:0}
    td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
    .number .small{white-space:normal}
    tr.main .value{color:var(--accent)}
    .value{font-weight:600;font-variant-numeric:tabular-nums}
    .small{font-size:.84rem;color:var(--soft)}
    .in-classes table{max-width:36rem;table-layout:fixed}
    .medium .in-classes table,.large .in-classes table{max-width:52rem}
    .in-classes th{width:4.6rem;padding:.35rem .75rem .35rem 0;vertical-align:middle;border:0;font-size:.84rem;
    color:var(--soft);white-space:nowrap}
    .in-classes td{border:0;padding:2px 0}
    .in-classes .strip{grid-auto-flow:row;grid-template-columns:repeat(10,minmax(0,1fr))}
    .track{display:block;position:relative;height:1.25rem;min-width:6rem}
    .track::before{content:"";position:absolute;left:0;right:0;top:50%;border-top:1px solid var(--line)}
    .dot{position:absolute;top:50%;width:.7rem;height:.7rem;margin:-.35rem 0 0 -.35rem;border-radius:50%;
    background:var(--soft)}
    .main .dot{background:var(--accent)}
    .bar{display:block;height:.55rem;margin-top:.42rem;min-width:2px;background:var(--accent);border-radius:1px;opacity:.8}
    .plot{display:block;width:100%;height:auto;max-width:52rem}
    .plot text{font:12px ui-sans-serif,system-ui,sans-serif;fill:var(--soft)}
    .plot .note{fill:var(--ink);font-weight:600}
    .plot .grid{stroke:var(--line)}.plot .axis{stroke:var(--soft)}
    .plot .curve{fill:none;stroke:var(--accent);stroke-width:2;stroke-linejoin:round}
    .plot .mark{fill:var(--accent)}
    .plot .fit{stroke:var(--ink);stroke-width:1;stroke-dasharray:5 4}
    .plot .loss{fill:none;stroke-width:1.6;stroke-linejoin:round}.plot .lead{stroke-width:.8;opacity:.6}
    .plot .all{stroke:var(--ink)}.plot .loss.all{stroke-width:2.4}
    .plot .level0{stroke:var(--l0)}.plot .level1{stroke:var(--l1)}.plot .level2{stroke:var(--l2)}.plot .level3{stroke:var(--l3)}.plot .level4{stroke:var(--l4)}.plot .level5{stroke:var(--l5)}.plot .level6{stroke:var(--l6)}.plot .level7{stroke:var(--l7)}.plot .level8{stroke:var(--l8)}
    .plot .name{stroke:none}.plot .name.all{fill:var(--ink);font-weight:600}
    .plot .name.level0{fill:var(--l0);stroke:none}.plot .name.level1{fill:var(--l1);stroke:none}.plot .name.level2{fill:var(--l2);stroke:none}.plot .name.level3{fill:var(--l3);stroke:none}.plot .name.level4{fill:var(--l4);stroke:none}.plot .name.level5{fill:var(--l5);stroke:none}.plot .name.level6{fill:var(--l6);stroke:none}.plot .name.level7{fill:var(--l7);stroke:none}.plot .name.level8{fill:var(--l8);stroke:none}
    .narrow{display:none}
    .losses{max-width:26rem}
    .verdict{font-weight:600;font-size:1.08rem;line-height:1.5;max-width:44rem}
    .course{table-layout:fixed;max-width:36rem}.medium .course,.large .course{max-width:52rem}
    .course th,.course td{border:0;padding:2px .75rem 2px 0;vertical-align:middle}.course td:last-child{padding-right:0}
    .course tbody th,.course td.number{font-size:.84rem;color:var(--soft);font-variant-numeric:tabular-nums}
    .course thead th{padding-bottom:.4rem;line-height:1.3;vertical-align:bottom;border-bottom:0}
    .course th:first-child{width:4.8rem}.course .number{width:4.8rem}
    .course .strip{grid-auto-flow:row;grid-template-columns:repeat(8,minmax(0,1fr))}
    dl.facts{display:grid;grid-template-columns:8rem minmax(0,1fr);gap:.3rem 1rem;font-size:.9rem;line-height:1.5}
    .facts dt{color:var(--soft)}
    .step+.step{border-top:1px solid var(--line);padding-top:1.25rem}
    .step dl{margin-top:.6rem}.step h3 .small{font-weight:400}
    .options span{white-space:nowrap;margin-right:.9rem;display:inline-block;max-width:100%;overflow-wrap:anywhere}
    .options .long{white-space:normal}
    .options b{font-weight:400;color:var(--soft)}
    pre{white-space:pre-wrap;background:var(--tint);padding:1rem 1.1rem;line-height:1.55;border-radius:3px;font-size:.82rem}
    footer{color:var(--soft);font-size:.84rem;padding-top:2rem;padding-bottom:3rem}
    @media (max-width:40rem){
    .wide{display:none}.narrow{display:block}
    .stack thead{display:none}.stack,.stack tbody,.stack caption{display:block}
    .stack tr{display:grid;grid-template-columns:minmax(0,1fr) fit-content(60%);gap:.1rem 1rem;padding:.6rem 0;border-top:1px solid var(--line)}
    .stack tbody tr:first-child{border-top:0}
    .stack th,.stack td{display:block;border:0;padding:0}
    .stack .full{grid-column:1/-1}
    dl.facts{grid-template-columns:5.5rem minmax(0,1fr)}
    .figures{grid-template-columns:repeat(2,minmax(0,1fr))}.figures dd{font-size:1.45rem;white-space:normal}
    :root{--cell:2rem}.medium{--cell:2.75rem}.large{--cell:3.25rem}
    .in-classes th{width:3.9rem}
    .course th:first-child,.course .number{width:4.1rem}.course th,.course td{padding-right:.5rem}
    }
    @media print{:root{--paper:#fff;--ink:#000;--soft:#444;--line:#bbb;--tint:#fff;--accent:#1f62b2;
    --l0:#4b3fa7;--l1:#2f5bb7;--l2:#1f77b4;--l3:#0f7f8f;--l4:#1d8560;--l5:#4d7d1e;--l6:#857000;--l7:#b0601a;--l8:#c0392b}
    body{font-size:10pt}nav{display:none}h2,h3,figcaption{break-after:avoid}figure,tr,.step dl{break-inside:avoid}
    img,.bar,.dot{print-color-adjust:exact;-webkit-print-color-adjust:exact}pre{border:1px solid var(--line)}}
    """
}
