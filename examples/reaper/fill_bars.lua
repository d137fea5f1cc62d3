-- Fills the selected bars of the selected MIDI items with notes of a model, by a studio that runs on this machine.
--
-- Start the studio in a terminal (pianoroll-seq2seq studio --no-browser). In REAPER, select a MIDI item for each part,
-- select the bars as a time selection, and run this script: Actions, Show action list, New action, Load ReaScript.
-- It needs curl, which Windows 10, macOS and most Linux systems have. Nothing leaves this machine.
--
-- https://OWNER.github.io/pianoroll_seq2seq/reaper.html

local SECTION = "pianoroll-seq2seq" -- of REAPER's memory, which keeps the answers of the dialog
local MOST_BARS_AROUND = 16 -- the model reads so many bars before and after the selection
local TIMEOUT_MS = 10 * 60 * 1000

--------------------------------------------------------------------------------------------------------------- JSON

local function quoted(text)
  local escaped = text:gsub('[%c"\\]', function(char)
    return string.format("\\u%04x", char:byte())
  end)
  return '"' .. escaped .. '"'
end

--- JSON of a value. A table with a first item is a list; an empty one, too.
local function encode(value)
  if type(value) == "string" then
    return quoted(value)
  elseif type(value) ~= "table" then
    return type(value) == "number" and string.format("%.14g", value):gsub(",", ".") or tostring(value)
  end
  local items = {}
  if #value > 0 or next(value) == nil then
    for _, item in ipairs(value) do
      items[#items + 1] = encode(item)
    end
    return "[" .. table.concat(items, ",") .. "]"
  end
  for key, item in pairs(value) do
    items[#items + 1] = quoted(key) .. ":" .. encode(item)
  end
  return "{" .. table.concat(items, ",") .. "}"
end

local ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

--- The value of a JSON text, and the position behind it. Objects and lists are tables, and null is nil.
local function decode(text, at)
  at = text:find("%S", at or 1) or error("The answer of the studio is cut off.")
  local char = text:sub(at, at)
  if char == '"' then
    local stop = at + 1
    while text:sub(stop, stop) ~= '"' do
      stop = stop + (text:sub(stop, stop) == "\\" and 2 or 1)
      assert(stop <= #text, "The answer of the studio is cut off.")
    end
    local value = text:sub(at + 1, stop - 1):gsub("\\(.)(%x?%x?%x?%x?)", function(kind, digits)
      return kind == "u" and utf8.char(tonumber(digits, 16)) or (ESCAPES[kind] or kind) .. digits
    end)
    return value, stop + 1
  elseif char == "{" or char == "[" then
    local value, key = {}, nil
    at = text:find("%S", at + 1)
    while text:sub(at, at) ~= "}" and text:sub(at, at) ~= "]" do
      if char == "{" then
        key, at = decode(text, at)
        at = text:find(":", at, true) + 1
      else
        key = #value + 1
      end
      value[key], at = decode(text, at)
      at = text:match("^%s*,?%s*()", at)
      assert(at <= #text, "The answer of the studio is cut off.")
    end
    return value, at + 1
  end
  local word = text:match("^[%w%.+-]+", at) or error("The studio did not answer with JSON: " .. text:sub(at, at + 200))
  if word == "true" or word == "false" then
    return word == "true", at + #word
  end
  return tonumber(word), at + #word
end

------------------------------------------------------------------------------------------------------------- requests

--- A file that other users of the machine cannot read.
local function temporary_file(name)
  if reaper.GetOS():find("^Win") then
    return reaper.GetResourcePath() .. "\\" .. SECTION .. "-" .. name
  end
  local path = (reaper.ExecProcess("mktemp", 10000) or ""):match("^0\r?\n([^\r\n]+)")
  return path or error("The program mktemp, which makes a temporary file, is not installed.")
end

local function write_file(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

--- Sends a request to the studio and returns the lines of its answer.
local function post(address, body)
  local origin, host, port, query = address:match("^%s*(http://([%w.]+):(%d+))/?(%S*)%s*$")
  if host ~= "127.0.0.1" and host ~= "localhost" then
    error("The address of the studio is what it prints when it starts: http://127.0.0.1:8765/?token=...")
  end
  local body_path, options_path = temporary_file("body"), temporary_file("options")
  write_file(body_path, body)
  -- The token is in a file: other users of the machine see the arguments of programs.
  write_file(options_path, table.concat({
    "url = " .. quoted(origin .. "/fill"),
    "header = " .. quoted("Cookie: studio-" .. port .. "=" .. (query:match("token=([%w_-]+)") or "")),
    'header = "X-Studio-Page: reaper-script"',
    'header = "Content-Type: application/json"',
    'data-binary = "@' .. body_path:gsub("\\", "\\\\") .. '"',
    'noproxy = "*"',
    "silent",
    "show-error",
    'write-out = "\\n%{http_code}"',
  }, "\n"))
  local output = reaper.ExecProcess('curl --config "' .. options_path .. '"', TIMEOUT_MS)
  os.remove(body_path)
  os.remove(options_path)
  local code, answer = (output or ""):match("^(%-?%d+)\r?\n(.*)$")
  if code == "7" then
    error("The studio does not run at " .. origin .. ". Start it in a terminal: pianoroll-seq2seq studio")
  elseif code ~= "0" then
    error("curl could not ask the studio: " .. (answer or output or "curl is not installed."))
  end
  local content, status = answer:match("^(.*)\n(%d+)%s*$")
  local lines = {}
  for line in content:gmatch("[^\r\n]+") do
    lines[#lines + 1] = decode(line)
  end
  local problem = lines[#lines] and lines[#lines].error
  if problem or status ~= "200" then
    error(problem and problem.message or "The studio answered with status " .. status .. ".")
  end
  return lines
end

--------------------------------------------------------------------------------------------------------------- music

--- A bar of the project: its number from 0, its first quarter note, the one after its last, and its tempo.
local function bar_at(number)
  local _, first, last, _, _, tempo = reaper.TimeMap_GetMeasureInfo(0, number)
  return { number = number, first = first, last = last, length = last - first, tempo = tempo }
end

--- The selected bars, and those around them that are as long as they are.
local function selected_bars()
  local from, to = reaper.GetSet_LoopTimeRange(false, false, 0, 0, false)
  assert(to > from, "Select the bars to fill: drag over the ruler to make a time selection.")
  local _, first = reaper.TimeMap2_timeToBeats(0, from + 1e-6)
  local _, last = reaper.TimeMap2_timeToBeats(0, to - 1e-6)
  local length = bar_at(first).length
  for number = first, last do
    assert(math.abs(bar_at(number).length - length) < 1e-6, "The selected bars have several metres. Select fewer bars.")
  end
  local begin, stop = first, last
  while begin > math.max(first - MOST_BARS_AROUND, 0) and math.abs(bar_at(begin - 1).length - length) < 1e-6 do
    begin = begin - 1
  end
  while stop < last + MOST_BARS_AROUND and math.abs(bar_at(stop + 1).length - length) < 1e-6 do
    stop = stop + 1
  end
  return bar_at(first), bar_at(last), bar_at(begin), bar_at(stop)
end

--- The selected MIDI items: their takes, their names, and the channel and the program of their notes.
local function selected_parts()
  local parts = {}
  for index = 0, reaper.CountSelectedMediaItems(0) - 1 do
    local item = reaper.GetSelectedMediaItem(0, index)
    local take = reaper.GetActiveTake(item)
    if take and reaper.TakeIsMIDI(take) then
      local _, name = reaper.GetSetMediaTrackInfo_String(reaper.GetMediaItem_Track(item), "P_NAME", "", false)
      local found, _, _, _, _, channel = reaper.MIDI_GetNote(take, 0)
      parts[#parts + 1] = { item = item, take = take, channel = found and channel or 0, name = name }
    end
  end
  assert(#parts > 0, "Select a MIDI item for each part of the music.")
  local seen = {}
  for index, part in ipairs(parts) do
    if part.name == "" or seen[part.name] then
      part.name = ("%s %d"):format(part.name == "" and "part" or part.name, index)
    end
    seen[part.name] = true
  end
  return parts
end

--- The piece that the studio gets: the notes of all parts between two quarter notes of the project.
local function piece_of(parts, begin, stop)
  local listed, notes = {}, {}
  for index, part in ipairs(parts) do
    listed[index] = { name = part.name, program = 0, is_drums = part.channel == 9 }
    local _, count = reaper.MIDI_CountEvts(part.take)
    for number = 0, count - 1 do
      local _, _, muted, from, to, _, pitch, velocity = reaper.MIDI_GetNote(part.take, number)
      local first = reaper.MIDI_GetProjQNFromPPQPos(part.take, from)
      local last = math.min(reaper.MIDI_GetProjQNFromPPQPos(part.take, to), stop.last)
      if not muted and first >= begin.first - 1e-6 and last - first > 1e-3 then
        local start = math.max(first - begin.first, 0)
        notes[#notes + 1] =
          { part = index - 1, pitch = pitch, start = start, length = last - first, velocity = math.max(velocity, 1) }
      end
    end
  end
  return {
    beats_per_minute = math.min(math.max(begin.tempo, 20), 400),
    beats_per_bar = begin.length,
    beats = stop.last - begin.first,
    parts = listed,
    notes = notes,
  }
end

--- Removes the notes of a part for which a condition holds, from the last to the first; muted ones stay.
local function remove_notes(take, condition)
  local _, count = reaper.MIDI_CountEvts(take)
  for number = count - 1, 0, -1 do
    local _, _, muted, from, to, _, pitch = reaper.MIDI_GetNote(take, number)
    local first, last = reaper.MIDI_GetProjQNFromPPQPos(take, from), reaper.MIDI_GetProjQNFromPPQPos(take, to)
    if not muted and condition(first, last, pitch) then
      reaper.MIDI_DeleteNote(take, number)
    end
  end
end

--- Puts the notes of an answer in the place of those that were there.
local function write_answer(parts, lines, origin)
  local region = lines[1]
  local first, last = origin + region.begin, origin + region["end"]
  for _, index in ipairs(region.parts) do
    local part = parts[index + 1]
    local start = reaper.GetMediaItemInfo_Value(part.item, "D_POSITION")
    local stop = start + reaper.GetMediaItemInfo_Value(part.item, "D_LENGTH")
    local from, to = reaper.TimeMap2_timeToQN(0, start), reaper.TimeMap2_timeToQN(0, stop)
    if from > first + 1e-6 or to < last - 1e-6 then
      reaper.MIDI_SetItemExtents(part.item, math.min(from, first), math.max(to, last))
    end
    remove_notes(part.take, function(note_first, note_last)
      return note_first >= first - 1e-6 and note_last <= last + 1e-6
    end)
  end
  local count = 0
  for _, line in ipairs(lines) do
    for _, note in ipairs(line.notes or {}) do
      local part = parts[note.part + 1]
      local note_first = origin + note.start
      remove_notes(part.take, function(other_first, _, pitch) -- one that was there, and that goes on
        return pitch == note.pitch and math.abs(other_first - note_first) < 1e-3
      end)
      local from = reaper.MIDI_GetPPQPosFromProjQN(part.take, note_first)
      local to = reaper.MIDI_GetPPQPosFromProjQN(part.take, note_first + note.length)
      reaper.MIDI_InsertNote(part.take, false, false, from, to, part.channel, note.pitch, note.velocity, true)
      count = count + 1
    end
  end
  for _, part in ipairs(parts) do
    reaper.MIDI_Sort(part.take)
  end
  return count
end

---------------------------------------------------------------------------------------------------------- the script

local QUESTIONS = { "Address of the studio", "Model", "Task: fill / harmonize / vary", "Temperature" }
local KEYS, DEFAULTS = { "address", "model", "task", "temperature" }, { "", "bach-chorales", "fill", "1.0" }

--- The answers of the dialog; nil if it was cancelled.
local function ask()
  local before = {}
  for index, key in ipairs(KEYS) do
    local kept = reaper.GetExtState(SECTION, key)
    before[index] = kept == "" and DEFAULTS[index] or kept
  end
  local questions = table.concat(QUESTIONS, ",") .. ",extrawidth=300,separator=\n"
  local ok, text = reaper.GetUserInputs("Fill the selected bars", #KEYS, questions, table.concat(before, "\n"))
  if not ok then
    return nil
  end
  local answers, index = {}, 0
  for answer in (text .. "\n"):gmatch("([^\n]*)\n") do
    index = index + 1
    answers[KEYS[index] or ""] = answer
    if KEYS[index] then
      reaper.SetExtState(SECTION, KEYS[index], answer, KEYS[index] ~= "address") -- a token is for one start alone
    end
  end
  return answers
end

local function fill_bars()
  local parts = selected_parts()
  local first, last, begin, stop = selected_bars()
  local answers = ask()
  if not answers then
    return
  end
  local temperature = tonumber(answers.temperature)
  assert(temperature, "The temperature must be a number, such as 0.9.")
  local lines = post(answers.address, encode({
    model = answers.model,
    piece = piece_of(parts, begin, stop),
    task = answers.task,
    bars = { first.number - begin.number + 1, last.number - begin.number + 1 },
    temperature = temperature,
    seed = math.floor(reaper.time_precise() * 1000) % 2 ^ 31,
  }))
  reaper.Undo_BeginBlock()
  local count = write_answer(parts, lines, begin.first)
  reaper.Undo_EndBlock("Fill bars: " .. count .. " notes by " .. answers.model, -1)
  reaper.UpdateArrange()
end

local ok, problem = pcall(fill_bars)
if not ok then
  reaper.ShowMessageBox(tostring(problem):gsub("^[^\n]-:%d+: ", ""), "Fill the selected bars", 0)
end
