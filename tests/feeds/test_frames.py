from __future__ import annotations

import pytest

from feeds.frames import _QUOTE_ASSETS, decode_frame, describe_pair
from ticker.core.tick import Instrument, Quote, Trade

BOOK = b'{"stream":"btcusdt@bookTicker","data":{"s":"BTCUSDT","b":"61685.99000000","B":"1.5","a":"61686.0","A":"2"}}'
SOLD = b'{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","p":"0.10000000","q":"0.00017000","m":true}}'


def test_a_book_ticker_is_a_quote() -> None:
    assert decode_frame(BOOK, 5) == Quote("BTCUSDT", 61685.99, 1.5, 61686.0, 2.0, 5)


def test_the_aggressor_sells_when_the_buyer_is_the_maker() -> None:
    assert decode_frame(SOLD, 5) == Trade("BTCUSDT", 0.1, 0.00017, "sell", 5)
    assert decode_frame(SOLD.replace(b"true", b"false"), 5) == Trade("BTCUSDT", 0.1, 0.00017, "buy", 5)


@pytest.mark.parametrize("stream", ["btcusdt@depth@100ms", "btcusdt@aggTrade", "!ticker@arr", ""])
def test_other_streams_carry_no_tick(stream: str) -> None:
    assert decode_frame(b'{"stream":"%s","data":[1,2]}' % stream.encode(), 5) is None


@pytest.mark.parametrize("frame", [b"", b"garbage", b"{}", b"\xff", BOOK[:-1], BOOK + b"x"])
def test_what_is_no_frame_is_a_value_error(frame: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the decoder's own sentence
        decode_frame(frame, 5)


@pytest.mark.parametrize(
    ("symbol", "name", "currency"),
    [
        ("BTCUSDT", "BTC/USDT", "USDT"),
        ("ETHBTC", "ETH/BTC", "BTC"),
        ("BTCFDUSD", "BTC/FDUSD", "FDUSD"),
        ("BTCTUSD", "BTC/TUSD", "TUSD"),
        ("1000SATSUSDC", "1000SATS/USDC", "USDC"),
        ("USDTTRY", "USDT/TRY", "TRY"),
        ("EURUSDT", "EUR/USDT", "USDT"),
    ],
)
def test_a_pair_is_named_after_its_two_assets(symbol: str, name: str, currency: str) -> None:
    assert describe_pair(symbol) == Instrument(symbol, name=name, sector="Crypto", currency=currency)


@pytest.mark.parametrize("symbol", ["USDT", "WHATEVER"])
def test_a_pair_in_an_unknown_asset_keeps_its_symbol_as_name(symbol: str) -> None:
    assert describe_pair(symbol) == Instrument(symbol, name=symbol, sector="Crypto")


def test_no_asset_hides_a_longer_one_that_ends_like_it() -> None:
    pairs = [(early, late) for place, early in enumerate(_QUOTE_ASSETS) for late in _QUOTE_ASSETS[place + 1 :]]

    assert [pair for pair in pairs if pair[1].endswith(pair[0])] == []
