package main

// frame of a page: title, style, the way to the root, navigation, body.
const frame = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%s – Herald</title>
<style>%s</style>
</head>
<body>
<nav>
<p><a href="%sindex.html">Herald</a></p>
<ul>
%s</ul>
</nav>
<main>
%s</main>
</body>
</html>
`

const style = `
:root{color-scheme:light dark;--line:#8884;--soft:#8882;--link:#0969da}
@media (prefers-color-scheme:dark){:root{--link:#58a6ff}}
body{margin:0;font:16px/1.55 system-ui,sans-serif;display:grid;grid-template-columns:15rem minmax(0,1fr)}
a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}
nav{border-right:1px solid var(--line);padding:1rem;position:sticky;top:0;height:100vh;overflow-y:auto;box-sizing:border-box}
nav p{font-weight:bold;font-size:1.3rem;margin:.2rem 0 .6rem}nav ul{list-style:none;margin:0;padding:0;font-size:.92rem}
nav li{margin:.15rem 0}nav .here{font-weight:bold}
main{padding:1rem 2rem 4rem;max-width:60rem}
h1,h2{border-bottom:1px solid var(--line);padding-bottom:.2rem}
code,pre{font-family:ui-monospace,monospace;font-size:.88em}code{background:var(--soft);padding:.1em .3em;border-radius:3px}
pre{background:var(--soft);padding:.8rem;overflow-x:auto;border-radius:5px}pre code{background:none;padding:0}
table{border-collapse:collapse;display:block;overflow-x:auto}th,td{border:1px solid var(--line);padding:.25rem .6rem;text-align:left;vertical-align:top}
img{max-width:100%}
@media (max-width:50rem){body{display:block}nav{position:static;height:auto;border-right:0;border-bottom:1px solid var(--line)}}
@media print{nav{display:none}}
`
